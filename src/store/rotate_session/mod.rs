//! Refresh token rotation. Each session's row is read and locked, `domain/rotation.rs` judges every presented
//! token in order, and rotated sessions are written back if their rows are unchanged: of all callers with one
//! token, one rotates it. As for the sign-in, on SQLite this takes a few prepared statements per call, on
//! Postgres a few for the whole group.

mod postgres;
mod sqlite;

use super::audit::{Audited, audit};
use super::schema::sessions;
use super::sessions::end;
use super::users::{UserSql, WholeUser, find_user};
use super::{DbConn, StoreError, Write};
use crate::domain::{
    Actor, AppId, Burst, Generation, RefreshState, RequestedScope, SessionId, Time, User, UserId, UserStatus,
    Verdict,
};
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Rotates a session's refresh token: its successor replaces the presented one.
#[derive(Debug)]
pub struct RotateSession {
    /// The session's user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The mini-program that the session must belong to, if the client named one.
    pub app: Option<AppId>,
    /// The mini-programs that this node serves; tokens of others are not rotated here.
    pub served: Arc<[AppId]>,
    /// The generation of the presented token.
    pub presented: Generation,
    /// The scope that the client requested, which the user must hold.
    pub scope: RequestedScope,
    /// When the token was presented.
    pub at: Time,
    /// The same time by the monotonic clock, to measure how long the row lock took.
    pub since: Instant,
    /// The new, sliding expiry of the session, unless the session ends earlier.
    pub expires_at: Time,
    /// The grace period of the replaced token in seconds: a mini-program sends many requests at launch.
    pub grace: i64,
    /// The address of the client.
    pub ip: Option<IpAddr>,
}

/// The result of a rotation.
#[derive(Debug, Clone)]
pub enum Rotation {
    /// The session continues with this generation, which all concurrent callers get.
    Turned {
        /// The user as they are now.
        user: User,
        /// The mini-program of the session.
        app: AppId,
        /// The current generation.
        generation: Generation,
        /// When the session expires unless it is used.
        expires_at: Time,
    },
    /// There is no such session (of this mini-program), or it has ended; nothing was changed.
    Gone,
    /// The user is banned; nothing was changed.
    Banned,
    /// The user does not hold the requested scope; nothing was changed.
    ScopeNotHeld,
    /// The token was replaced too long ago, so somebody else has it too. The session was ended.
    Reused,
}

/// A locked session and its user.
struct Held {
    user: User,
    app: AppId,
    state: RefreshState,
    /// When it ends, however much it is used.
    ends_at: Time,
    /// The generation in its row.
    stored: Generation,
    reused: bool,
}

/// The columns of a [`SessionRow`] in hand-written SQL, from `sessions s`.
macro_rules! session_columns {
    () => {
        "s.id, s.appid, s.generation, s.rotated_at, s.expires_at, s.ends_at,
         s.burst_generation, s.burst_began_at, s.created_at"
    };
}
use session_columns;

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    id: String,
    pub(super) appid: String,
    generation: Generation,
    rotated_at: Time,
    expires_at: Time,
    ends_at: Time,
    burst_generation: Generation,
    burst_began_at: Option<Time>,
    created_at: Time,
}

impl SessionRow {
    /// The state of its refresh tokens.
    pub(super) fn state(&self) -> RefreshState {
        let burst = |began_at| Burst { generation: self.burst_generation, began_at };
        RefreshState {
            generation: self.generation,
            rotated_at: self.rotated_at,
            expires_at: self.expires_at,
            burst: self.burst_began_at.map(burst),
        }
    }
}

/// A session and its user, as both dialects read them.
type RowSql = (SqlTypeOf<<SessionRow as Selectable<Pg>>::SelectExpression>, UserSql);
type Row = (SessionRow, WholeUser);
type BurstRow = (Generation, Option<Time>);

/// The sessions of a group.
type HeldSessions = BTreeMap<SessionId, Held>;

impl Held {
    fn from_row((session, user): Row) -> (SessionId, Self) {
        let mut user = user.into_user();
        user.last_login_at = user.last_login_at.max(session.created_at);
        let state = session.state();
        let (app, stored) = (AppId::from_stored(&session.appid), session.generation);
        let held = Self { user, app, state, ends_at: session.ends_at, stored, reused: false };
        (SessionId::from_stored(session.id), held)
    }

    fn has_turned(&self) -> bool {
        self.state.generation != self.stored
    }

    fn burst_row(&self) -> BurstRow {
        let burst = self.state.burst.map(|burst| (burst.generation, Some(burst.began_at)));
        burst.unwrap_or_default()
    }
}

impl Write for RotateSession {
    type Output = Rotation;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Rotation>, StoreError> {
        let mut held = match conn {
            DbConn::Sqlite(conn) => sqlite::hold(batch, conn)?,
            DbConn::Postgres(conn) => postgres::hold(batch, conn)?,
        };
        let mut rotations = Vec::with_capacity(batch.len());
        for rotate in batch {
            rotations.push(match held.get_mut(&rotate.session) {
                Some(session) if session.user.id == rotate.user => rotate.judge(session),
                _ => rotate.of_no_session(conn)?,
            });
        }
        let turned: Vec<(&SessionId, &Held)> = held.iter().filter(|(_, held)| held.has_turned()).collect();
        let written = match conn {
            DbConn::Sqlite(conn) => sqlite::write(&turned, conn)?,
            DbConn::Postgres(conn) => postgres::write(&turned, conn)?,
        };
        if written != turned.len() {
            return Err(StoreError::Refused("a session turned while it was held".into()));
        }
        for (rotate, rotation) in batch.iter().zip(&rotations) {
            if matches!(rotation, Rotation::Reused) {
                rotate.end_reused(conn)?;
            }
        }
        Ok(rotations)
    }
}

impl RotateSession {
    fn judge(&self, session: &mut Held) -> Rotation {
        if session.user.status == UserStatus::Banned {
            return Rotation::Banned;
        }
        // Another mini-program must not end this one's session.
        let is_of_another = self.app.as_ref().is_some_and(|app| *app != session.app);
        let is_served = self.served.contains(&session.app);
        if is_of_another || !is_served || session.reused || session.ends_at <= self.at {
            return Rotation::Gone;
        }
        match session.state.judge(self.presented, self.at, self.grace) {
            // Only for valid tokens: requesting too much scope must not hide the reuse of an old token.
            Verdict::Current | Verdict::InGrace if !self.scope.is_held_by(&session.user.roles) => {
                return Rotation::ScopeNotHeld;
            }
            // Not the time of arrival: the grace period begins when the successor can first be known, however
            // long the database took.
            Verdict::Current => {
                let now = self.at.plus(self.since.elapsed());
                // No row expires later than it ends, which spares everyone else the question.
                let expires_at = self.expires_at.min(session.ends_at);
                session.state.turn(self.at, now, expires_at, self.grace);
            }
            Verdict::InGrace => {}
            Verdict::Expired => return Rotation::Gone,
            Verdict::Reused => {
                session.reused = true;
                return Rotation::Reused;
            }
        }
        let (user, app) = (session.user.clone(), session.app.clone());
        let RefreshState { generation, expires_at, .. } = session.state;
        Rotation::Turned { user, app, generation, expires_at }
    }

    /// If a ban ended the session, reports the ban.
    fn of_no_session(&self, conn: &mut DbConn) -> Result<Rotation, StoreError> {
        let user = find_user(conn, self.user.as_str())?;
        let is_banned = user.is_some_and(|user| user.status == UserStatus::Banned);
        Ok(if is_banned { Rotation::Banned } else { Rotation::Gone })
    }

    fn end_reused(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        end(conn, &self.user, std::slice::from_ref(&self.session), self.at)?;
        let by = Actor::user(&self.user, self.ip);
        let (at, target) = (self.at, self.user.as_str());
        let detail = Some(self.session.as_str());
        audit(conn, &Audited { at, by: &by, action: "refresh.reuse", target, detail })
    }
}

//! Refresh token rotation. Each session's row is read and locked, `domain/rotation.rs` judges every presented
//! token in order, and rotated sessions are written back if their rows are unchanged: of all callers with one
//! token, one rotates it. As for the sign-in, on SQLite this takes a few prepared statements per call, on
//! Postgres a few for the whole group.

mod postgres;
mod sqlite;

use super::audit::{Audited, audit};
use super::sessions::end;
use super::users::{find_user, split_roles};
use super::{DbConn, StoreError, Write};
use crate::domain::{
    Actor, AppId, Burst, Generation, RefreshState, RequestedScope, SessionId, Time, User, UserId, UserStatus,
    Worth,
};
use chrono::NaiveDateTime;
use std::collections::HashMap;
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

/// `(user id, session id)`.
type Key<'a> = (&'a str, &'a str);

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

/// Converts the two columns of a burst.
pub(super) fn stored_burst((generation, began_at): BurstRow) -> Option<Burst> {
    Some(Burst { generation, began_at: Time::from_stored(began_at?) })
}

/// The columns of a session, of its user, the session's creation, the roles as one text, and whether a
/// unionid is known, as read from both dialects.
type SessionRow = (String, Generation, NaiveDateTime, NaiveDateTime, NaiveDateTime, BurstRow);
type BurstRow = (Generation, Option<NaiveDateTime>);
type UserRow = (String, String, Option<String>, Option<String>, Option<String>, NaiveDateTime, NaiveDateTime);
type Row = (SessionRow, UserRow, NaiveDateTime, Option<String>, bool);

impl Held {
    fn from_row((session, user, opened_at, roles, unionid_linked): Row) -> Self {
        let (appid, generation, rotated_at, expires_at, ends_at, burst) = session;
        let (id, status, nickname, avatar_url, phone, created_at, last_login_at) = user;
        Self {
            user: User {
                id: UserId::from_stored(id),
                status: UserStatus::from_stored(&status),
                roles: split_roles(roles),
                nickname,
                avatar_url,
                phone,
                unionid_linked,
                created_at: Time::from_stored(created_at),
                last_login_at: Time::from_stored(last_login_at.max(opened_at)),
            },
            app: AppId::from_stored(&appid),
            state: RefreshState {
                generation,
                rotated_at: Time::from_stored(rotated_at),
                expires_at: Time::from_stored(expires_at),
                burst: stored_burst(burst),
            },
            ends_at: Time::from_stored(ends_at),
            stored: generation,
            reused: false,
        }
    }
}

impl Held {
    fn burst_row(&self) -> BurstRow {
        let burst = self.state.burst.map(|burst| (burst.generation, Some(burst.began_at.to_stored())));
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
            rotations.push(match held.get_mut(&rotate.key()) {
                Some(session) => rotate.judge(session),
                None => rotate.of_no_session(conn)?,
            });
        }
        let turned = |(_, session): &(&Key<'_>, &Held)| session.state.generation != session.stored;
        let mut turned: Vec<(Key<'_>, &Held)> =
            held.iter().filter(turned).map(|(key, session)| (*key, session)).collect();
        turned.sort_unstable_by_key(|(key, _)| *key);
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
    fn key(&self) -> Key<'_> {
        (self.user.as_str(), self.session.as_str())
    }

    fn judge(&self, session: &mut Held) -> Rotation {
        if session.user.status == UserStatus::Banned {
            return Rotation::Banned;
        }
        // Another mini-program must not end this one's session.
        let is_of_another = self.app.as_ref().is_some_and(|app| *app != session.app);
        let is_served = self.served.contains(&session.app);
        if is_of_another || !is_served || session.reused {
            return Rotation::Gone;
        }
        match session.state.worth(self.presented, self.at, self.grace) {
            // Only for valid tokens: requesting too much scope must not hide the reuse of an old token.
            Worth::Present | Worth::JustReplaced if !self.scope.is_held_by(&session.user.roles) => {
                return Rotation::ScopeNotHeld;
            }
            // Not the time of arrival: the grace period begins when the successor can first be known, however
            // long the database took.
            Worth::Present => {
                let now = self.at.plus(self.since.elapsed());
                // No row expires later than it ends, which spares everyone else the question.
                let expires_at = self.expires_at.min(session.ends_at);
                session.state.turn(self.at, now, expires_at, self.grace);
            }
            Worth::JustReplaced => {}
            Worth::Over => return Rotation::Gone,
            Worth::Reused => {
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

/// The sessions of a group, by key.
type HeldSessions<'a> = HashMap<Key<'a>, Held>;

//! Sessions after the sign-in: they turn, are listed, and end.

use super::audit::{Audited, audit};
use super::revocations::revoke;
use super::schema::sessions;
use super::users::find_user;
use super::{DbConn, Query, StoreError, Write};
use crate::domain::{Actor, AppId, Generation, Session, SessionId, Time, User, UserId, UserStatus};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::net::IpAddr;

/// Turns a session's refresh token: the presented one becomes old, its successor good.
#[derive(Debug)]
pub struct RotateSession {
    /// Whose session.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
    /// The mini-program that must be the session's, where the client named one.
    pub app: Option<AppId>,
    /// The generation of the presented token.
    pub presented: Generation,
    /// Now.
    pub at: Time,
    /// Until when the session is good now, unless it ends before (sliding).
    pub expires_at: Time,
    /// Seconds in which the token just replaced still answers: a mini-program fires many requests at launch.
    pub grace: i64,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
}

/// What became of a refresh token.
#[derive(Debug, Clone)]
pub enum Rotation {
    /// The session goes on with this generation; every concurrent caller is told the same one.
    Turned {
        /// The user as they are now.
        user: User,
        /// The mini-program of the session.
        app: AppId,
        /// The generation that is good now.
        generation: Generation,
    },
    /// There is no such session (of this mini-program), or it has ended; nothing was changed.
    Gone,
    /// The user is barred; nothing was changed.
    Banned,
    /// A token that was replaced long ago: somebody else has it. The session was ended.
    Reused,
}

impl Write for RotateSession {
    type Output = Rotation;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Rotation>, StoreError> {
        batch.iter().map(|rotate| rotate.apply_one(conn)).collect()
    }
}

impl RotateSession {
    fn apply_one(&self, conn: &mut DbConn) -> Result<Rotation, StoreError> {
        let Some(user) = find_user(conn, self.user.as_str())? else { return Ok(Rotation::Gone) };
        if user.status == UserStatus::Banned {
            return Ok(Rotation::Banned);
        }
        if !self.is_of_named_app(conn)? {
            return Ok(Rotation::Gone);
        }
        let turned = self.turn(conn)?;
        let row: Option<(String, Generation, NaiveDateTime, NaiveDateTime, NaiveDateTime)> = sessions::table
            .find((self.user.as_str(), self.session.as_str()))
            .select((
                sessions::appid,
                sessions::generation,
                sessions::rotated_at,
                sessions::expires_at,
                sessions::ends_at,
            ))
            .first(conn)
            .optional()?;
        let Some((appid, generation, rotated_at, expires_at, ends_at)) = row else {
            return Ok(Rotation::Gone);
        };
        let now = self.at.to_stored();
        if expires_at <= now || ends_at <= now {
            return Ok(Rotation::Gone);
        }
        let within_grace = Time::from_stored(rotated_at).plus_seconds(self.grace) >= self.at;
        if turned || (self.presented.checked_add(1) == Some(generation) && within_grace) {
            return Ok(Rotation::Turned { user, app: AppId::from_stored(&appid), generation });
        }
        self.end_reused(conn)?;
        Ok(Rotation::Reused)
    }

    /// Looked at before anything turns: another mini-program must not end this one's session.
    fn is_of_named_app(&self, conn: &mut DbConn) -> Result<bool, StoreError> {
        let Some(app) = &self.app else { return Ok(true) };
        let session = sessions::table.find((self.user.as_str(), self.session.as_str()));
        let appid: Option<String> = session.select(sessions::appid).first(conn).optional()?;
        Ok(appid.is_some_and(|appid| appid == app.as_str()))
    }

    /// The one atomic statement by which, of all callers with this token, one turns it.
    fn turn(&self, conn: &mut DbConn) -> Result<bool, StoreError> {
        let now = self.at.to_stored();
        let presented = sessions::table
            .find((self.user.as_str(), self.session.as_str()))
            .filter(sessions::generation.eq(self.presented))
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::ends_at.gt(now));
        let turned = diesel::update(presented)
            .set((
                sessions::generation.eq(self.presented.saturating_add(1)),
                sessions::rotated_at.eq(now),
                sessions::last_used_at.eq(now),
                sessions::expires_at.eq(self.expires_at.to_stored()),
            ))
            .execute(conn)?;
        Ok(turned == 1)
    }

    fn end_reused(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        end(conn, &self.user, std::slice::from_ref(&self.session), self.at)?;
        let by = Actor::user(&self.user, self.ip);
        let (at, target) = (self.at, self.user.as_str());
        let detail = Some(self.session.as_str());
        audit(conn, &Audited { at, by: &by, action: "refresh.reuse", target, detail })
    }
}

/// Which sessions of a user to end.
#[derive(Debug, Clone)]
pub enum Ending {
    /// This one.
    One(SessionId),
    /// All of them.
    All,
}

/// Ends sessions of a user at once; gives back which. None where the one named is not theirs.
#[derive(Debug)]
pub struct EndSessions {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub which: Ending,
    /// By whom.
    pub by: Actor,
    /// Now.
    pub at: Time,
}

impl Write for EndSessions {
    type Output = Vec<SessionId>;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Vec<SessionId>>, StoreError> {
        batch.iter().map(|ending| ending.apply_one(conn)).collect()
    }
}

impl EndSessions {
    fn apply_one(&self, conn: &mut DbConn) -> Result<Vec<SessionId>, StoreError> {
        let (ended, detail) = match &self.which {
            Ending::One(session) => {
                (end(conn, &self.user, std::slice::from_ref(session), self.at)?, session.as_str())
            }
            Ending::All => (end_all(conn, &self.user, self.at)?, "everywhere"),
        };
        if !ended.is_empty() {
            let (at, by, target) = (self.at, &self.by, self.user.as_str());
            audit(conn, &Audited { at, by, action: "user.logout", target, detail: Some(detail) })?;
        }
        Ok(ended)
    }
}

/// Ends all sessions of a user; gives back which.
pub(super) fn end_all(conn: &mut DbConn, user: &UserId, at: Time) -> Result<Vec<SessionId>, StoreError> {
    let theirs = sessions::table.filter(sessions::user_id.eq(user.as_str())).select(sessions::id);
    let ids: Vec<SessionId> = theirs.load(conn)?.into_iter().map(SessionId::from_stored).collect();
    end(conn, user, &ids, at)
}

/// Removes the rows and leaves word of it for every node. Of those who end a session at once, one does; gives back
/// what this one ended.
pub(super) fn end(
    conn: &mut DbConn,
    user: &UserId,
    ids: &[SessionId],
    at: Time,
) -> Result<Vec<SessionId>, StoreError> {
    let mut ended = Vec::new();
    for id in ids {
        if diesel::delete(sessions::table.find((user.as_str(), id.as_str()))).execute(conn)? > 0 {
            revoke(conn, id, at)?;
            ended.push(id.clone());
        }
    }
    Ok(ended)
}

/// A user's sessions that have not ended by `at`, the latest first.
#[derive(Debug)]
pub struct ListSessions {
    /// Whose.
    pub user: UserId,
    /// Now.
    pub at: Time,
}

/// The columns of a listed session.
type SessionRow = (String, String, NaiveDateTime, NaiveDateTime, Option<String>, Option<String>);

impl Query for ListSessions {
    type Output = Vec<Session>;

    fn run(&self, conn: &mut DbConn) -> Result<Vec<Session>, StoreError> {
        let now = self.at.to_stored();
        let rows: Vec<SessionRow> = sessions::table
            .filter(sessions::user_id.eq(self.user.as_str()))
            .filter(sessions::expires_at.gt(now))
            .filter(sessions::ends_at.gt(now))
            .order(sessions::id.desc())
            .select((
                sessions::id,
                sessions::appid,
                sessions::created_at,
                sessions::last_used_at,
                sessions::ip,
                sessions::user_agent,
            ))
            .load(conn)?;
        Ok(rows.into_iter().map(into_session).collect())
    }
}

fn into_session((id, appid, created_at, last_used_at, ip, user_agent): SessionRow) -> Session {
    Session {
        id: SessionId::from_stored(id),
        app: AppId::from_stored(&appid),
        created_at: Time::from_stored(created_at),
        last_used_at: Time::from_stored(last_used_at),
        ip,
        user_agent,
    }
}

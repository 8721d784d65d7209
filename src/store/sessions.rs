//! Listing and ending sessions.

use super::audit::{Audited, audit};
use super::prepared::prepared;
use super::recent_logins::{forget_user_session, last_indexed};
use super::revocations::revoke;
use super::schema::sessions;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{Actor, AppId, Session, SessionId, Time, UserId};
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamp};
use diesel::sqlite::Sqlite;
use std::collections::{HashMap, HashSet};

/// The sessions of a user to end.
#[derive(Debug, Clone)]
pub enum Ending {
    /// This one.
    One(SessionId),
    /// All of them.
    All,
}

/// Ends sessions of a user; returns the ended ones, none if the named session is not theirs.
#[derive(Debug)]
pub struct EndSessions {
    /// The user.
    pub user: UserId,
    /// The sessions.
    pub which: Ending,
    /// Who ends them.
    pub by: Actor,
    /// Now.
    pub at: Time,
}

impl WriteOne for EndSessions {
    type Output = Vec<SessionId>;

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

/// Ends all sessions of a user; returns the ended ones.
pub(super) fn end_all(conn: &mut DbConn, user: &UserId, at: Time) -> Result<Vec<SessionId>, StoreError> {
    let ids: Vec<SessionId> = ids_of(conn, user.as_str())?.into_iter().map(SessionId::from_stored).collect();
    end(conn, user, &ids, at)
}

prepared! {
    /// The sessions of these users, given as a JSON array, from the index and from what is not indexed yet.
    /// One query for all users, because the unindexed rows are scanned in full.
    FindSessionsOfUsers<'a> on Sqlite { indexed: Text = &'a str, fresh: Text = &'a str } ->
    (Text, Text, Timestamp),
    concat!(
        "SELECT user_id, id, expires_at FROM sessions WHERE id IN (
             SELECT session_id FROM user_sessions WHERE user_id IN (SELECT value FROM json_each(?))
             UNION SELECT session_id FROM recent_logins
             WHERE seq > ", last_indexed!(), " AND user_id IN (SELECT value FROM json_each(?))
         ) ORDER BY id"
    )
}

/// A session of a user, expired or not.
pub(super) struct Owned {
    pub(super) id: String,
    /// When it expires unless it is used.
    pub(super) expires_at: Time,
}

/// The sessions of each of these users, in the order of their ids.
pub(super) fn sessions_of_each(
    conn: &mut DbConn,
    users: &[&str],
) -> Result<HashMap<String, Vec<Owned>>, StoreError> {
    type Row = (String, String, Time);
    let rows: Vec<Row> = match conn {
        DbConn::Postgres(conn) => {
            let theirs = sessions::table.filter(sessions::user_id.eq_any(users)).order(sessions::id);
            let columns = (sessions::user_id, sessions::id, sessions::expires_at);
            theirs.select(columns).load(conn)?
        }
        DbConn::Sqlite(conn) => {
            let users = serde_json::json!(users).to_string();
            FindSessionsOfUsers { indexed: &users, fresh: &users }.load(conn)?
        }
    };
    let mut found: HashMap<String, Vec<Owned>> = HashMap::new();
    for (user, id, expires_at) in rows {
        found.entry(user).or_default().push(Owned { id, expires_at });
    }
    Ok(found)
}

/// The ids of a user's sessions, sorted.
fn ids_of(conn: &mut DbConn, user: &str) -> Result<Vec<String>, StoreError> {
    let theirs = sessions_of_each(conn, &[user])?.remove(user).unwrap_or_default();
    Ok(theirs.into_iter().map(|session| session.id).collect())
}

/// Deletes sessions and records that for all nodes; returns those ended by this call. If several callers end
/// a session at once, one of them does.
pub(super) fn end(
    conn: &mut DbConn,
    user: &UserId,
    ids: &[SessionId],
    at: Time,
) -> Result<Vec<SessionId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ended = match conn {
        DbConn::Postgres(conn) => {
            let theirs = sessions::table.filter(sessions::user_id.eq(user.as_str()));
            let theirs = theirs.filter(sessions::id.eq_any(ids.iter().map(SessionId::as_str)));
            let gone: Vec<String> = diesel::delete(theirs).returning(sessions::id).get_results(conn)?;
            let gone: HashSet<String> = gone.into_iter().collect();
            ids.iter().filter(|id| gone.contains(id.as_str())).cloned().collect()
        }
        DbConn::Sqlite(_) => {
            let mut ended = Vec::new();
            for id in ids {
                let theirs = sessions::table.find(id.as_str()).filter(sessions::user_id.eq(user.as_str()));
                if diesel::delete(theirs).execute(conn)? > 0 {
                    forget_user_session(conn, user.as_str(), id.as_str())?;
                    ended.push(id.clone());
                }
            }
            ended
        }
    };
    revoke(conn, &ended, at)?;
    Ok(ended)
}

/// Most sessions that are listed, the latest ones: nobody reads more, and a person may open any number.
const MOST_LISTED: usize = 1000;

/// A user's sessions that have not ended by `at`, latest first, up to a thousand.
#[derive(Debug)]
pub struct ListSessions {
    /// The user.
    pub user: UserId,
    /// Now.
    pub at: Time,
}

/// The columns of a listed session.
type SessionRow = (String, String, Time, Time, Option<String>, Option<String>);

impl Query for ListSessions {
    type Output = Vec<Session>;

    fn run(&self, conn: &mut DbConn) -> Result<Vec<Session>, StoreError> {
        let now = self.at.to_stored();
        let theirs = ids_of(conn, self.user.as_str())?;
        let mut listed = Vec::new();
        for ids in theirs.rchunks(MOST_LISTED) {
            let rows: Vec<SessionRow> = sessions::table
                .filter(sessions::id.eq_any(ids))
                .filter(sessions::expires_at.gt(now))
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
            listed.extend(rows.into_iter().map(into_session).take(MOST_LISTED - listed.len()));
            if listed.len() == MOST_LISTED {
                break;
            }
        }
        Ok(listed)
    }
}

fn into_session((id, appid, created_at, last_used_at, ip, user_agent): SessionRow) -> Session {
    Session {
        id: SessionId::from_stored(id),
        app: AppId::from_stored(&appid),
        created_at,
        last_used_at,
        ip,
        user_agent,
    }
}

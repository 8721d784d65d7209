//! Sessions whose time is over, found on a walk through the table and removed.

use super::fresh_logins::forget_user_session;
use super::schema::sessions;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::Time;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A session, and so a place in the order of their ids: the empty one is before the first.
#[derive(Debug, Clone, Default)]
pub struct SessionCursor {
    user_id: String,
    id: String,
}

/// Looks through some sessions, in the order of their keys, for those whose time is over.
#[derive(Debug)]
pub struct FindExpiredSessions {
    /// Where to go on.
    pub after: SessionCursor,
    /// Now.
    pub at: Time,
    /// How many to look at.
    pub limit: i64,
}

/// Sessions whose time is over, and where to go on; `None` at the end.
#[derive(Debug)]
pub struct ExpiredSessions {
    /// To be removed.
    pub expired: Vec<SessionCursor>,
    /// The last one looked at.
    pub next: Option<SessionCursor>,
}

impl Query for FindExpiredSessions {
    type Output = ExpiredSessions;

    fn run(&self, conn: &mut DbConn) -> Result<ExpiredSessions, StoreError> {
        type Row = (String, String, NaiveDateTime, NaiveDateTime);
        let columns = (sessions::user_id, sessions::id, sessions::expires_at, sessions::ends_at);
        let bite = sessions::table.filter(sessions::id.gt(&self.after.id));
        let bite = bite.order(sessions::id).limit(self.limit);
        let rows: Vec<Row> = bite.select(columns).load(conn)?;
        let at_end = (rows.len() as i64) < self.limit;
        let cursor = |row: &Row| SessionCursor { user_id: row.0.clone(), id: row.1.clone() };
        let next = rows.last().filter(|_| !at_end).map(cursor);
        let now = self.at.to_stored();
        let is_over = |row: &&Row| row.2 <= now || row.3 <= now;
        Ok(ExpiredSessions { expired: rows.iter().filter(is_over).map(cursor).collect(), next })
    }
}

/// Removes these sessions, unless they were refreshed since they were found.
#[derive(Debug)]
pub struct DeleteExpiredSessions {
    /// Which.
    pub expired: Vec<SessionCursor>,
    /// Now.
    pub at: Time,
}

impl WriteOne for DeleteExpiredSessions {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let now = self.at.to_stored();
        for place in &self.expired {
            let session = sessions::table.find(&place.id);
            let over = session.filter(sessions::expires_at.le(now).or(sessions::ends_at.le(now)));
            if diesel::delete(over).execute(conn)? > 0 {
                forget_user_session(conn, &place.user_id, &place.id)?;
            }
        }
        Ok(())
    }
}

//! Finds expired sessions in a scan of the table, and deletes them.

use super::fresh_logins::forget_user_session;
use super::schema::sessions;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::Time;
use diesel::prelude::*;

/// A session, and thereby a position in the order of ids. The default is before the first row.
#[derive(Debug, Clone, Default)]
pub struct SessionCursor {
    user_id: String,
    id: String,
}

/// Scans a number of sessions, in key order, for expired ones.
#[derive(Debug)]
pub struct FindExpiredSessions {
    /// The position to continue from.
    pub after: SessionCursor,
    /// Now.
    pub at: Time,
    /// How many rows to scan.
    pub limit: i64,
}

/// Expired sessions, and the position to continue from.
#[derive(Debug)]
pub struct ExpiredSessions {
    /// The rows to delete.
    pub expired: Vec<SessionCursor>,
    /// The last row scanned; `None` at the end of the table.
    pub next: Option<SessionCursor>,
}

impl Query for FindExpiredSessions {
    type Output = ExpiredSessions;

    fn run(&self, conn: &mut DbConn) -> Result<ExpiredSessions, StoreError> {
        type Row = (String, String, Time);
        let columns = (sessions::user_id, sessions::id, sessions::expires_at);
        let bite = sessions::table.filter(sessions::id.gt(&self.after.id));
        let bite = bite.order(sessions::id).limit(self.limit);
        let rows: Vec<Row> = bite.select(columns).load(conn)?;
        let at_end = (rows.len() as i64) < self.limit;
        let cursor = |row: &Row| SessionCursor { user_id: row.0.clone(), id: row.1.clone() };
        let next = rows.last().filter(|_| !at_end).map(cursor);
        let is_over = |row: &&Row| row.2 <= self.at;
        Ok(ExpiredSessions { expired: rows.iter().filter(is_over).map(cursor).collect(), next })
    }
}

/// Deletes these sessions, unless they were refreshed since they were found.
#[derive(Debug)]
pub struct DeleteExpiredSessions {
    /// The sessions.
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
            let over = session.filter(sessions::expires_at.le(now));
            if diesel::delete(over).execute(conn)? > 0 {
                forget_user_session(conn, &place.user_id, &place.id)?;
            }
        }
        Ok(())
    }
}

//! Finds expired sessions in a walk through the table, and deletes them.

use super::prepared::prepared;
use super::recent_logins::forget_user_session;
use super::schema::sessions;
use super::{Bite, DbConn, Query, StoreError, WriteOne};
use crate::domain::Time;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamp};

/// A session, and thereby a position in the order of ids. The default is before the first row.
#[derive(Debug, Clone, Default, Queryable)]
pub struct SessionKey {
    user_id: String,
    id: String,
}

/// Reads a number of sessions, in key order; those that have expired are due.
#[derive(Debug)]
pub struct FindExpiredSessions {
    /// The position to continue from.
    pub after: SessionKey,
    /// Now.
    pub at: Time,
    /// How many rows to read.
    pub limit: i64,
}

impl Query for FindExpiredSessions {
    type Output = Bite<SessionKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Bite<SessionKey>, StoreError> {
        let rows = sessions::table
            .filter(sessions::id.gt(&self.after.id))
            .order(sessions::id)
            .limit(self.limit)
            .select(((sessions::user_id, sessions::id), sessions::expires_at))
            .load::<(SessionKey, Time)>(conn)?;
        Ok(Bite::of(rows, self.limit, |expires_at| *expires_at <= self.at))
    }
}

/// Deletes these sessions, unless they were refreshed since they were found.
#[derive(Debug)]
pub struct DeleteExpiredSessions {
    /// The sessions.
    pub expired: Vec<SessionKey>,
    /// Now.
    pub at: Time,
}

prepared! {
    /// All of them in one round trip.
    DeleteAllExpired<'a> on Pg { ids: Array<Text> = Vec<&'a str>, at: Timestamp = Time } -> (),
    "DELETE FROM sessions USING unnest(?) AS t (id) WHERE sessions.id = t.id AND sessions.expires_at <= ?"
}

impl WriteOne for DeleteExpiredSessions {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Postgres(conn) = conn {
            let ids = self.expired.iter().map(|key| key.id.as_str()).collect();
            DeleteAllExpired { ids, at: self.at }.execute(conn)?;
            return Ok(());
        }
        for SessionKey { user_id, id } in &self.expired {
            let over = sessions::table.find(id).filter(sessions::expires_at.le(self.at.to_stored()));
            if diesel::delete(over).execute(conn)? > 0 {
                forget_user_session(conn, user_id, id)?;
            }
        }
        Ok(())
    }
}

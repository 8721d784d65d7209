//! Propagates ended sessions, from every node and terminal command to all nodes.

use super::prepared::prepared;
use super::schema::{revocations, user_changes};
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{SessionId, Time, first_id_at, id_at};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

/// The sessions that ended since a time, each with its time.
#[derive(Debug)]
pub struct FindRevocations {
    /// The earliest time.
    pub since: Time,
}

impl Query for FindRevocations {
    type Output = Vec<(SessionId, Time)>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let rows: Vec<(String, Time)> = revocations::table
            .filter(revocations::id.ge(first_id_at(self.since)))
            .select((revocations::session_id, revocations::at))
            .load(conn)?;
        Ok(rows.into_iter().map(|(id, at)| (SessionId::from_stored(id), at)).collect())
    }
}

/// Finds the oldest records of sessions that ended, and of users who changed: the id up to which a bite of them
/// reaches; `None` if there are none from before this time.
#[derive(Debug)]
pub struct FindOldNews {
    /// Finds older records.
    pub before: Time,
    /// Most records of each kind in a bite.
    pub limit: usize,
}

impl Query for FindOldNews {
    type Output = Option<String>;

    fn run(&self, conn: &mut DbConn) -> Result<Option<String>, StoreError> {
        let (first, most) = (first_id_at(self.before), self.limit as i64);
        let ended = revocations::table.select(revocations::id).order(revocations::id).limit(most);
        let ended: Vec<String> = ended.filter(revocations::id.lt(&first)).load(conn)?;
        let changed = user_changes::table.select(user_changes::id).order(user_changes::id).limit(most);
        let changed: Vec<String> = changed.filter(user_changes::id.lt(&first)).load(conn)?;
        let is_full = |ids: &&Vec<String>| ids.len() == self.limit;
        // There may be more of a kind that fills the bite: no further than its last one.
        let ends = [&ended, &changed];
        let full = ends.into_iter().filter(is_full).filter_map(|ids| ids.last()).min();
        Ok(full.or_else(|| ends.into_iter().filter_map(|ids| ids.last()).max()).cloned())
    }
}

/// Deletes the records of sessions that ended, and of users who changed, up to and including this id.
#[derive(Debug)]
pub struct DeleteOldNews(pub String);

impl WriteOne for DeleteOldNews {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        diesel::delete(user_changes::table.filter(user_changes::id.le(&self.0))).execute(conn)?;
        diesel::delete(revocations::table.filter(revocations::id.le(&self.0))).execute(conn)?;
        Ok(())
    }
}

/// An id for the time of writing, in the format of [`id_at`], by Postgres's clock. Nodes poll by this shared
/// clock; with the clock of a node, which may be off, they could miss the row.
macro_rules! id_of_now {
    () => {
        "lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
            || right(replace(gen_random_uuid()::text, '-', ''), 20)"
    };
}
pub(super) use id_of_now;

prepared! {
    /// Records sessions that end now.
    TellOfEnded<'a> on Pg { sessions: Array<Text> = Vec<&'a str> } -> (),
    concat!(
        "INSERT INTO revocations (id, session_id, at)
         SELECT ", id_of_now!(), ", ended, clock_timestamp() AT TIME ZONE 'UTC' FROM unnest(?) AS t (ended)"
    )
}

/// Records for all nodes that sessions have ended. Call it late in the transaction: the rows become visible
/// when it commits, and are looked for among the latest.
pub(super) fn revoke(conn: &mut DbConn, sessions: &[SessionId], at: Time) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    match conn {
        DbConn::Postgres(conn) => {
            TellOfEnded { sessions: sessions.iter().map(SessionId::as_str).collect() }.execute(conn)?;
        }
        DbConn::Sqlite(conn) => {
            for session in sessions {
                let row = (
                    revocations::id.eq(id_at(at)),
                    revocations::session_id.eq(session.as_str()),
                    revocations::at.eq(at.to_stored()),
                );
                diesel::insert_into(revocations::table).values(row).execute(conn)?;
            }
        }
    }
    Ok(())
}

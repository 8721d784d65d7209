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

/// Deletes the records of sessions that ended, and of users who changed, before a time.
#[derive(Debug)]
pub struct PurgeRevocations {
    /// Deletes older records.
    pub before: Time,
}

impl WriteOne for PurgeRevocations {
    type Output = usize;

    fn apply_one(&self, conn: &mut DbConn) -> Result<usize, StoreError> {
        let first = first_id_at(self.before);
        let changes = user_changes::table.filter(user_changes::id.lt(&first));
        diesel::delete(changes).execute(conn)?;
        Ok(diesel::delete(revocations::table.filter(revocations::id.lt(&first))).execute(conn)?)
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

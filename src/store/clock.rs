//! The clocks that this machine's clock is compared with.

use super::schema::{audit, keys};
use super::{DbConn, Query, StoreError};
use crate::domain::Time;
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Timestamp;

/// The time by Postgres's clock; `None` on SQLite, which has none of its own.
pub struct ReadNow;

impl Query for ReadNow {
    type Output = Option<Time>;

    fn run(&self, conn: &mut DbConn) -> Result<Option<Time>, StoreError> {
        let DbConn::Postgres(conn) = conn else { return Ok(None) };
        let clock = sql::<Timestamp>("clock_timestamp() AT TIME ZONE 'UTC'");
        Ok(Some(diesel::select(clock).get_result(conn)?))
    }
}

/// The latest time among keys and audit entries: some machine's clock has shown it.
pub struct ReadLatest;

impl Query for ReadLatest {
    type Output = Option<Time>;

    fn run(&self, conn: &mut DbConn) -> Result<Option<Time>, StoreError> {
        let key: Option<Time> = keys::table.select(max(keys::created_at)).get_result(conn)?;
        let noted: Option<Time> =
            audit::table.order(audit::id.desc()).select(audit::at).first(conn).optional()?;
        Ok(key.max(noted))
    }
}

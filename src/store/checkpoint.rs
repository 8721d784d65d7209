//! Checkpoints SQLite's WAL in the background, so that little is left for the writer's automatic checkpoint,
//! and no login waits for it.

use super::connection::connect;
use super::{DbConn, Query, StoreError};
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;
use std::sync::Weak;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(200);

/// Checkpoints the whole WAL and truncates it: done at shutdown, so that a copy of the database file is
/// complete. Other readers or writers may prevent part of this, without loss of data.
#[derive(Debug)]
pub struct TruncateWal;

impl Query for TruncateWal {
    type Output = ();

    fn run(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
        }
        Ok(())
    }
}

/// Starts the checkpoint thread, which ends when nobody holds `in_use` any more. Does nothing on Postgres.
pub fn start_checkpointer(url: &DatabaseUrl, in_use: Weak<()>) -> Result<(), StoreError> {
    if !matches!(url, DatabaseUrl::Sqlite(_)) {
        return Ok(());
    }
    let mut conn = connect(url)?;
    let work = move || {
        while in_use.strong_count() > 0 {
            std::thread::sleep(PAUSE);
            // PASSIVE never blocks writers or readers; if it fails, the writer's own checkpoint does the work.
            if let Err(error) = conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
                log::debug!("the write-ahead log could not be checkpointed: {error}");
            }
        }
    };
    let started = std::thread::Builder::new().name("weauth-wal".into()).spawn(work);
    started.map_err(|error| StoreError::Unavailable(format!("a thread can't be started: {error}")))?;
    Ok(())
}

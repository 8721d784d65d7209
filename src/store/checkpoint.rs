//! Carries SQLite's write-ahead log over into the database beside the writer, so that when the log is full
//! little is left for the writer to carry over itself, and no login waits for that.

use super::connection::connect;
use super::{DbConn, Query, StoreError};
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;
use std::sync::Weak;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(200);

/// Carries over all of it and empties the log: to be done when a server ends, so that its file is whole, for whoever
/// copies it. Another program that reads or writes keeps it from some of that, and nothing is lost.
#[derive(Debug)]
pub struct EmptyLog;

impl Query for EmptyLog {
    type Output = ();

    fn run(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
        }
        Ok(())
    }
}

/// Starts the thread; it ends when nobody holds `in_use` any more. On Postgres there is nothing to do.
pub fn keep_checkpointed(url: &DatabaseUrl, in_use: Weak<()>) -> Result<(), StoreError> {
    let DbConn::Sqlite(mut conn) = connect(url)? else { return Ok(()) };
    let work = move || {
        while in_use.strong_count() > 0 {
            std::thread::sleep(PAUSE);
            // Takes no lock that a writer or a reader waits for; where it fails, the writer does the work.
            if let Err(error) = conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
                log::debug!("the write-ahead log was not carried over: {error}");
            }
        }
    };
    let started = std::thread::Builder::new().name("weauth-wal".into()).spawn(work);
    started.map_err(|error| StoreError::Unavailable(format!("a thread can't be started: {error}")))?;
    Ok(())
}

//! The database as a command at the terminal uses it: one connection, one thing after the other, beside
//! whatever servers run.

use super::connection::{connect, is_missing_file};
use super::group_commit::transact;
use super::{CheckSchema, DbConn, Query, StoreError, Write};
use crate::domain::DatabaseUrl;
use std::time::Duration;

/// How often a write is tried that meets other transactions, and the pause between two tries.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// One connection to a database that exists and is up to date.
pub struct Direct(DbConn);

impl Direct {
    /// Connects. A database that is missing, or lacks a migration, is refused with the mend.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        if is_missing_file(url) {
            return Err(StoreError::Unavailable("there is no such file; `weauth migrate` makes it".into()));
        }
        let mut direct = Self(connect(url)?);
        direct.run(&CheckSchema)?;
        Ok(direct)
    }

    /// Runs one query.
    pub fn run<Q: Query>(&mut self, query: &Q) -> Result<Q::Output, StoreError> {
        query.run(&mut self.0)
    }

    /// Commits one write, in a transaction of its own. One that met another transaction is tried again: it may have
    /// waited in a circle with a server's.
    pub fn commit<W: Write>(&mut self, write: &W) -> Result<W::Output, StoreError> {
        self.commit_in(TRIES, write)
    }

    /// The same, in so many tries at most.
    pub fn commit_in<W: Write>(&mut self, tries: u32, write: &W) -> Result<W::Output, StoreError> {
        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            match transact(&mut self.0, |conn| W::apply(&[write], conn)) {
                Ok(outputs) => return outputs.into_iter().next().ok_or(StoreError::Crashed),
                Err(StoreError::Conflict(_)) if left > 0 => std::thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
    }
}

//! Database access of terminal commands: a single connection, used alongside running servers.

use super::connection::{connect, is_missing_file};
use super::transaction::transact;
use super::{CheckSchema, DbConn, Query, StoreError, Write};
use crate::domain::DatabaseUrl;
use std::time::Duration;

/// How many times a write is tried if it conflicts with other transactions, and the pause between two tries.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// A connection to a database that exists and is up to date.
pub struct Direct(DbConn);

impl Direct {
    /// Connects. If the database or a migration is missing, the error says how to fix it.
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

    /// Commits a write in its own transaction. Retries after a conflict, which may be a deadlock with a server.
    pub fn commit<W: Write>(&mut self, write: &W) -> Result<W::Output, StoreError> {
        self.commit_in(TRIES, write)
    }

    /// Like [`commit`](Self::commit), with at most this many tries.
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

//! Holds this machine's clock against others: a node whose clock is off signs tokens that the others refuse.

use crate::actors::Db;
use crate::domain::{Clock, Time};
use crate::store::{ReadClock, ReadNow, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A difference that tokens stand, in seconds: what the verification of `iat` forgives.
const TOLERANCE: i64 = 5;

/// How far this machine's clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDifference {
    /// So many seconds before the database's.
    Ahead(i64),
    /// So many seconds behind the database's.
    Behind(i64),
    /// So many seconds behind a moment that stands in the database.
    BehindLatest(i64),
}

impl std::fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MEND: &str = "set it right (`timedatectl`)";
        match self {
            Self::Ahead(seconds) => write!(
                f,
                "this machine's clock is {seconds} s ahead of the database's: other nodes refuse its tokens as \
                 coming from the future; {MEND}"
            ),
            Self::Behind(seconds) => write!(
                f,
                "this machine's clock is {seconds} s behind the database's: its tokens end too early elsewhere, and \
                 it refuses those of other nodes as coming from the future; {MEND}"
            ),
            Self::BehindLatest(seconds) => write!(
                f,
                "this machine's clock is {seconds} s behind what stands in the database: it is wrong, or was wrong \
                 when that was written; {MEND}"
            ),
        }
    }
}

/// What time it is for all nodes, and whether this one agrees.
#[derive(Debug, Clone, Copy)]
pub struct SharedTime {
    /// By Postgres's clock; by this machine's where the database is a file on it.
    pub now: Time,
    /// How far this machine's clock is off, where it matters.
    pub difference: Option<ClockDifference>,
}

/// How far the time that all nodes share is from this machine's, as it was read last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset(Arc<AtomicI64>);

impl ClockOffset {
    /// A difference below this is as good as none, in microseconds: reading it takes its time too.
    const NEGLIGIBLE: i64 = 1_000_000;

    /// Notes what the shared clock said between two moments of this machine's.
    pub(super) fn note(&self, before: Time, shared: Time, after: Time) {
        let middle = before.unix_micros() + (after.unix_micros() - before.unix_micros()) / 2;
        let offset = shared.unix_micros() - middle;
        let offset = if offset.abs() < Self::NEGLIGIBLE { 0 } else { offset };
        self.0.store(offset, Ordering::Relaxed);
    }

    /// A moment of this machine's by the shared clock.
    pub(super) fn shared(&self, moment: Time) -> Time {
        moment.plus_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Reads the time that all nodes share, and nothing else.
pub(super) async fn time_of_all(db: &Db, clock: Clock) -> Result<Time, StoreError> {
    Ok(db.run(ReadNow).await?.unwrap_or_else(|| clock.now()))
}

/// Reads the time that all nodes share: what is decided for all of them is decided by it.
pub async fn shared_time(db: &Db, clock: Clock) -> Result<SharedTime, StoreError> {
    let before = clock.now();
    let read = db.run(ReadClock).await?;
    let after = clock.now();
    let (now, difference) = match read.now {
        // The database answered some time between the two, so neither a slow answer nor a queue is a difference.
        Some(theirs) if before.unix() - theirs.unix() > TOLERANCE => {
            (theirs, Some(ClockDifference::Ahead(before.unix() - theirs.unix())))
        }
        Some(theirs) if theirs.unix() - after.unix() > TOLERANCE => {
            (theirs, Some(ClockDifference::Behind(theirs.unix() - after.unix())))
        }
        Some(theirs) => (theirs, None),
        None => (after, None),
    };
    let behind_latest = read.latest.map_or(0, |latest| latest.unix() - now.unix());
    let latest = (behind_latest > TOLERANCE).then_some(ClockDifference::BehindLatest(behind_latest));
    Ok(SharedTime { now, difference: difference.or(latest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_difference_counts() {
        let offset = ClockOffset::default();
        let at = Time::from_unix(1000);
        for (shared, difference) in [(1001, 0), (1003, 2), (900, -101), (1001, 0)] {
            offset.note(at, Time::from_unix(shared), at.plus_seconds(2));
            assert_eq!(offset.shared(at), at.plus_seconds(difference), "{shared}");
        }
    }
}

//! Checks this machine's clock against others: a node whose clock is off signs tokens that the others refuse.

use crate::actors::Db;
use crate::domain::{Clock, Time};
use crate::store::{ReadClock, ReadNow, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The clock skew that tokens tolerate, in seconds, as verification of `iat` does.
const TOLERANCE: i64 = 5;

/// How far this machine's clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockDifference {
    /// This many seconds ahead of the database's clock.
    Ahead(i64),
    /// This many seconds behind the database's clock.
    Behind(i64),
    /// This many seconds behind a timestamp stored in the database.
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

/// The time shared by all nodes, and whether this node agrees.
#[derive(Debug, Clone, Copy)]
pub struct SharedTime {
    /// By Postgres's clock, or by this machine's clock if the database is a file on it.
    pub now: Time,
    /// How far this machine's clock is off, if it matters.
    pub difference: Option<ClockDifference>,
}

/// The offset of the shared time from this machine's clock, as last read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset(Arc<AtomicI64>);

impl ClockOffset {
    /// An offset below this, in microseconds, counts as zero: reading the clock takes time too.
    const NEGLIGIBLE: i64 = 1_000_000;

    /// Records what the shared clock said between two moments of this machine's clock.
    pub(super) fn note(&self, before: Time, shared: Time, after: Time) {
        let middle = before.unix_micros() + (after.unix_micros() - before.unix_micros()) / 2;
        let offset = shared.unix_micros() - middle;
        let offset = if offset.abs() < Self::NEGLIGIBLE { 0 } else { offset };
        self.0.store(offset, Ordering::Relaxed);
    }

    /// Converts a moment of this machine's clock to the shared clock.
    pub(super) fn shared(&self, moment: Time) -> Time {
        moment.plus_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Reads only the time that all nodes share.
pub(super) async fn time_of_all(db: &Db, clock: Clock) -> Result<Time, StoreError> {
    Ok(db.run(ReadNow).await?.unwrap_or_else(|| clock.now()))
}

/// Reads the time that all nodes share, which governs every decision made for all of them, and checks this clock.
pub async fn shared_time(db: &Db, clock: Clock) -> Result<SharedTime, StoreError> {
    let before = clock.now();
    let read = db.run(ReadClock).await?;
    let after = clock.now();
    let (now, difference) = match read.now {
        // The database answered between `before` and `after`, so a slow answer or a queue does not look like skew.
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

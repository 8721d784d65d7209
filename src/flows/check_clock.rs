//! The time that all nodes share is Postgres's; this machine's clock is checked against it. If the database is a file
//! on this machine, its clock is all there is.

use crate::actors::Db;
use crate::domain::{Clock, Time};
use crate::store::{ReadLatest, ReadNow, StoreError};
use std::time::Instant;

/// The clock skew that is not worth a word, in seconds.
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
        const MEND: &str = "set right whichever is wrong (`timedatectl`)";
        match self {
            Self::Ahead(seconds) => write!(
                f,
                "this machine's clock is {seconds} s ahead of the database's, which weauth keeps to: {MEND}"
            ),
            Self::Behind(seconds) => write!(
                f,
                "this machine's clock is {seconds} s behind the database's, which weauth keeps to: {MEND}"
            ),
            Self::BehindLatest(seconds) => write!(
                f,
                "the clock of the database, or where that is a file this machine's clock, is {seconds} s behind what \
                 stands in the database: it is wrong, or was wrong when that was written; {MEND}"
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

/// Reads only the time that all nodes share, to which the clock then keeps.
pub(super) async fn time_of_all(db: &Db, clock: &Clock) -> Result<Time, StoreError> {
    let before = Instant::now();
    let Some(theirs) = db.run(ReadNow).await? else { return Ok(clock.now()) };
    clock.keep_to(theirs, before, Instant::now());
    Ok(theirs)
}

/// Reads the time that all nodes share, which governs every decision made for all of them, and checks this machine's
/// clock.
pub async fn shared_time(db: &Db, clock: &Clock) -> Result<SharedTime, StoreError> {
    let before = clock.machine();
    let now = time_of_all(db, clock).await?;
    let after = clock.machine();
    // It was read between `before` and `after`, so a slow answer or a queue does not look like skew.
    let (ahead, behind) = (before.unix() - now.unix(), now.unix() - after.unix());
    let difference = if ahead > TOLERANCE {
        Some(ClockDifference::Ahead(ahead))
    } else {
        (behind > TOLERANCE).then_some(ClockDifference::Behind(behind))
    };
    let latest = db.run(ReadLatest).await?;
    let behind_latest = latest.map_or(0, |latest| latest.unix() - now.unix());
    let latest = (behind_latest > TOLERANCE).then_some(ClockDifference::BehindLatest(behind_latest));
    Ok(SharedTime { now, difference: difference.or(latest) })
}

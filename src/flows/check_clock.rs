//! Holds this machine's clock against others: a node whose clock is off signs tokens that the others refuse.

use crate::actors::Db;
use crate::domain::{Clock, Time};
use crate::store::{ReadClock, ReadNow, StoreError};

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

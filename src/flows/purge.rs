//! Purges expired data, in batches so small that no login waits behind one. Data is expired if it is so by the clock that
//! all nodes share.

use super::background::Outage;
use super::check_clock::time_of_all;
use crate::actors::Db;
use crate::domain::{Clock, Lifetimes, Time};
use crate::store::{
    DeleteExchanges, DeleteExpiredSessions, ExchangeCursor, FindExpiredSessions, FindOldExchanges, LoadKeys,
    SessionCursor, StoreError,
};
use std::time::Duration;

/// A code lives five minutes at WeChat; its record is kept for twice that, or for the replay window if longer.
const KEEP_EXCHANGES_SECONDS: i64 = 600;

const BITE: i64 = 500;
const PAUSE_BETWEEN_BITES: Duration = Duration::from_millis(50);
const PAUSE_BETWEEN_ROUNDS: Duration = Duration::from_secs(60);

/// Purges until the process ends. A failure is retried a minute later.
pub async fn purge_forever(db: Db, clock: Clock, lifetimes: Lifetimes) {
    let keep = KEEP_EXCHANGES_SECONDS.max(lifetimes.replay + 60);
    let of_exchanges =
        Outage::new("old exchange records can't be purged", "old exchange records are purged again");
    let of_sessions = Outage::new("expired sessions can't be purged", "expired sessions are purged again");
    loop {
        tokio::time::sleep(PAUSE_BETWEEN_ROUNDS).await;
        of_exchanges.note(purge_exchanges(&db, &clock, keep).await);
        of_sessions.note(purge_sessions(&db, &clock, lifetimes.access).await);
    }
}

/// Walks through all exchanges once, a batch at a time.
async fn purge_exchanges(db: &Db, clock: &Clock, keep: i64) -> Result<(), StoreError> {
    let before = time_that_is_over(db, clock).await?.plus_seconds(-keep);
    let mut place = Some(ExchangeCursor::default());
    while let Some(after) = place {
        let found = db.run(FindOldExchanges { after, before, limit: BITE }).await?;
        if !found.old.is_empty() {
            db.commit(DeleteExchanges(found.old)).await?;
        }
        place = found.next;
        tokio::time::sleep(PAUSE_BETWEEN_BITES).await;
    }
    Ok(())
}

/// Walks through all sessions once, a batch at a time. A session that was not refreshed in time is kept while an
/// access token of it may still be valid, so that it can be ended.
async fn purge_sessions(db: &Db, clock: &Clock, access_ttl: i64) -> Result<(), StoreError> {
    let kept = longest_token(db, access_ttl).await?;
    let at = time_that_is_over(db, clock).await?.plus_seconds(-kept);
    let mut place = Some(SessionCursor::default());
    while let Some(after) = place {
        let found = db.run(FindExpiredSessions { after, at, limit: BITE }).await?;
        if !found.expired.is_empty() {
            db.commit(DeleteExpiredSessions { expired: found.expired, at }).await?;
        }
        place = found.next;
        tokio::time::sleep(PAUSE_BETWEEN_BITES).await;
    }
    Ok(())
}

/// The shared time, or this machine's where that is earlier: a database's clock that jumps ahead must not sign everybody
/// out for good.
async fn time_that_is_over(db: &Db, clock: &Clock) -> Result<Time, StoreError> {
    Ok(time_of_all(db, clock).await?.min(clock.machine()))
}

/// The longest lifetime of an access token in seconds, whichever node signed it.
pub(super) async fn longest_token(db: &Db, access_ttl: i64) -> Result<i64, StoreError> {
    let keys = db.run(LoadKeys).await?;
    Ok(keys.iter().map(|key| key.token_seconds).fold(access_ttl, i64::max))
}

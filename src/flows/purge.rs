//! Purges expired data, in bites so small that no login waits long behind one. Data is expired if it is so by the clock
//! that all nodes share.

use super::background::Outage;
use super::check_clock::time_of_all;
use super::follow_revocations::news_is_over_before;
use crate::actors::Db;
use crate::domain::{Clock, Lifetimes, Time};
use crate::store::{
    Bite, ClearPreviousKeys, DeleteExchanges, DeleteExpiredSessions, DeleteOldLogins, DeleteOldNews,
    FindExpiredSessions, FindOldExchanges, FindOldLogins, FindOldNews, FindPreviousKeys, LoadKeys, Query,
    StoreError, Write,
};
use std::time::Duration;

/// A code lives five minutes at WeChat; its record is kept for twice that, or for the replay window if longer.
const KEEP_EXCHANGES_SECONDS: i64 = 600;

/// Rows that a walk reads at once, which takes some milliseconds, beside the logins.
const BITE: i64 = 1000;

/// Rows that are purged at once, in some milliseconds for which logins wait.
const MOST_WRITTEN: usize = 500;

/// Short, as a walk that is slower than logins add rows never comes to an end of them; long enough that a walk which
/// only reads leaves most of the database's time to others.
const PAUSE_BETWEEN_BITES: Duration = Duration::from_millis(5);
const PAUSE_BETWEEN_ROUNDS: Duration = Duration::from_secs(60);

/// The walk through all identities, few of which have anything to purge, is made in one of so many rounds.
const ROUNDS_BETWEEN_IDENTITIES: u32 = 60;

/// Purges until the process ends. A failure is retried in the next round.
pub async fn purge_forever(db: Db, clock: Clock, lifetimes: Lifetimes) {
    let of_all = Outage::new("expired data can't be purged", "expired data is purged again");
    let of_exchanges =
        Outage::new("old exchange records can't be purged", "old exchange records are purged again");
    let of_sessions = Outage::new("expired sessions can't be purged", "expired sessions are purged again");
    let of_news = Outage::new("old revocations can't be purged", "old revocations are purged again");
    let of_previous_keys = Outage::new(
        "replaced session keys can't be cleared; they are kept for longer",
        "replaced session keys are cleared again",
    );
    for round in 0_u32.. {
        tokio::time::sleep(PAUSE_BETWEEN_ROUNDS).await;
        let Some(over) = of_all.note(Over::read(&db, &clock, lifetimes).await) else { continue };
        of_exchanges.note(purge_exchanges(&db, over.exchanges, over.now).await);
        of_sessions.note(purge_sessions(&db, over.sessions).await);
        of_news.note(purge_news(&db, over.news).await);
        if round % ROUNDS_BETWEEN_IDENTITIES == 0 {
            of_previous_keys.note(clear_previous_keys(&db, over.now).await);
        }
    }
}

async fn purge_exchanges(db: &Db, before: Time, at: Time) -> Result<(), StoreError> {
    walk(db, |after| FindOldExchanges { after, before, limit: BITE }, DeleteExchanges).await?;
    cut(db, || FindOldLogins { before, at, limit: MOST_WRITTEN }, DeleteOldLogins).await
}

async fn purge_sessions(db: &Db, at: Time) -> Result<(), StoreError> {
    let find = |after| FindExpiredSessions { after, at, limit: BITE };
    walk(db, find, |expired| DeleteExpiredSessions { expired, at }).await
}

async fn purge_news(db: &Db, before: Time) -> Result<(), StoreError> {
    cut(db, || FindOldNews { before, limit: MOST_WRITTEN }, DeleteOldNews).await
}

async fn clear_previous_keys(db: &Db, at: Time) -> Result<(), StoreError> {
    let find = |after| FindPreviousKeys { after, at, limit: BITE };
    walk(db, find, |of| ClearPreviousKeys { of, at }).await
}

/// Walks through a table once, a bite at a time, and purges what is due.
async fn walk<Key, Q, W>(
    db: &Db,
    find: impl Fn(Key) -> Q,
    purge: impl Fn(Vec<Key>) -> W,
) -> Result<(), StoreError>
where
    Key: Clone + Default,
    Q: Query<Output = Bite<Key>>,
    W: Write,
{
    let mut place = Some(Key::default());
    while let Some(after) = place {
        let bite = db.run(find(after)).await?;
        for due in bite.due.chunks(MOST_WRITTEN) {
            db.commit(purge(due.to_vec())).await?;
        }
        place = bite.next;
        tokio::time::sleep(PAUSE_BETWEEN_BITES).await;
    }
    Ok(())
}

/// Purges a table from the front, a bite at a time, while something is found to be over.
async fn cut<Place, Q, W>(db: &Db, find: impl Fn() -> Q, purge: impl Fn(Place) -> W) -> Result<(), StoreError>
where
    Q: Query<Output = Option<Place>>,
    W: Write,
{
    while let Some(through) = db.run(find()).await? {
        db.commit(purge(through)).await?;
        tokio::time::sleep(PAUSE_BETWEEN_BITES).await;
    }
    Ok(())
}

/// The times before which data of each kind is over.
#[derive(Debug, PartialEq, Eq)]
struct Over {
    exchanges: Time,
    /// A session that was not refreshed in time is kept while an access token of it may still be valid, so that it can
    /// be ended.
    sessions: Time,
    /// What ended is kept while an access token from before may still be valid: a node that starts must learn of it.
    news: Time,
    /// A replaced session key has a time of its own.
    now: Time,
}

impl Over {
    async fn read(db: &Db, clock: &Clock, lifetimes: Lifetimes) -> Result<Self, StoreError> {
        let keys = db.run(LoadKeys).await?;
        // Whichever node signed it.
        let longest_token = keys.iter().map(|key| key.token_seconds).fold(lifetimes.access, i64::max);
        let now = clock.surely_past(time_of_all(db, clock).await?);
        Ok(Self::at(now, longest_token, lifetimes.replay))
    }

    fn at(now: Time, longest_token: i64, replay: i64) -> Self {
        Self {
            exchanges: now.plus_seconds(-KEEP_EXCHANGES_SECONDS.max(replay + 60)),
            sessions: now.plus_seconds(-longest_token),
            news: news_is_over_before(now, longest_token),
            now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_over_while_somebody_may_still_need_it() {
        let now = Time::from_unix(100_000);
        let seconds_ago = |time: Time| now.unix() - time.unix();
        let over = Over::at(now, 7200, 60);
        assert_eq!(seconds_ago(over.exchanges), 600);
        assert_eq!(seconds_ago(over.sessions), 7200);
        assert!((7230..7320).contains(&seconds_ago(over.news)), "{over:?}");
        assert_eq!(seconds_ago(over.now), 0);
        assert_eq!(seconds_ago(Over::at(now, 7200, 3600).exchanges), 3660);
    }
}

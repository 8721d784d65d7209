//! Adds logins to the SQLite indexes in the background (see `store/recent_logins.rs`).

use super::background::Outage;
use crate::actors::Db;
use crate::store::{FindFreshLogins, ForgetFreshCodes, IndexCodes, IndexUserSessions, StoreError};
use std::time::Duration;

/// A longer pause lets more entries share a page; a shorter one leaves fewer unindexed logins to search.
const PAUSE: Duration = Duration::from_secs(2);

/// The maximum entries per write, so that no login waits long behind it.
const BITE: usize = 800;

/// The most codes in a run.
const RUN: usize = 4096;

/// The fewest: a lookup costs as much for a short run as for a long one. Fewer unindexed logins are searched in no time.
const WORTH_A_RUN: usize = 500;

/// Indexes every other second until the process ends. A failure is retried the next time.
pub async fn index_logins_forever(db: Db) {
    let outage = Outage::new("logins can't be indexed", "logins are indexed again");
    loop {
        tokio::time::sleep(PAUSE).await;
        outage.note(index_logins(&db).await);
    }
}

/// Indexes the logins that are not indexed yet, if there are many. Safe to interrupt anywhere: indexing is idempotent.
async fn index_logins(db: &Db) -> Result<(), StoreError> {
    let fresh = db.run(FindFreshLogins).await?;
    let is_worth_it = fresh.numbers.len() >= WORTH_A_RUN;
    let Some(&last) = fresh.numbers.last().filter(|_| is_worth_it) else { return Ok(()) };
    for (after, through) in stretches(&fresh.users) {
        db.commit(IndexUserSessions { last, after, through }).await?;
    }
    for last in fresh.numbers.chunks(RUN).filter_map(<[i64]>::last) {
        db.commit(IndexCodes(*last)).await?;
    }
    db.commit(ForgetFreshCodes).await
}

/// Splits the range of these sorted keys into stretches of about [`BITE`] keys each: after the first of a pair, up to
/// and including the second.
fn stretches(keys: &[String]) -> impl Iterator<Item = (String, String)> {
    let mut after = String::new();
    keys.chunks(BITE)
        .filter_map(|bite| bite.last())
        .map(move |through| (std::mem::replace(&mut after, through.clone()), through.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_every_key_once() {
        let mut keys: Vec<String> = (0..BITE * 2 + 7).map(|number| format!("{:08}", number / 3)).collect();
        keys.sort_unstable();
        let stretches: Vec<(String, String)> = stretches(&keys).collect();
        for key in &keys {
            let holds = |(after, through): &&(String, String)| after < key && key <= through;
            assert_eq!(stretches.iter().filter(holds).count(), 1, "{key}");
        }
        assert!(super::stretches(&[]).next().is_none());
    }
}

//! Adds logins to the SQLite indexes in the background (see `store/fresh_logins.rs`).

use super::background::Outage;
use crate::actors::Db;
use crate::store::{
    FindFreshLogins, ForgetFreshLogins, IndexExchanges, IndexUserSessions, StoreError, Stretch,
};
use std::time::Duration;

/// A longer pause lets more entries share a page; a shorter one leaves fewer unindexed logins to search.
const PAUSE: Duration = Duration::from_secs(1);

/// The maximum entries per write, so that no login waits long behind it.
const BITE: usize = 800;

/// Indexes every second until the process ends. A failure is retried a second later.
pub async fn index_logins_forever(db: Db) {
    let outage = Outage::new("logins can't be indexed", "logins are indexed again");
    let mut indexed = 0;
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Some(last) = outage.note(index_logins(&db, indexed).await) {
            indexed = last.max(indexed);
        }
    }
}

/// Indexes the logins after this one and returns the last of them. Safe to interrupt anywhere: indexing is idempotent.
async fn index_logins(db: &Db, indexed: i64) -> Result<i64, StoreError> {
    let fresh = db.run(FindFreshLogins(indexed)).await?;
    for stretch in stretches(fresh.last, &fresh.users) {
        db.commit(IndexUserSessions(stretch)).await?;
    }
    for stretch in stretches(fresh.last, &fresh.codes) {
        db.commit(IndexExchanges(stretch)).await?;
    }
    if fresh.last > 0 {
        db.commit(ForgetFreshLogins(fresh.last)).await?;
    }
    Ok(fresh.last)
}

/// Splits the range of these sorted keys into stretches of about [`BITE`] keys each.
fn stretches(last: i64, keys: &[String]) -> impl Iterator<Item = Stretch> {
    let mut after = String::new();
    keys.chunks(BITE).filter_map(|bite| bite.last()).map(move |through| {
        let after = std::mem::replace(&mut after, through.clone());
        Stretch { last, after, through: through.clone() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_every_key_once() {
        let mut keys: Vec<String> = (0..BITE * 2 + 7).map(|number| format!("{:08}", number / 3)).collect();
        keys.sort_unstable();
        let stretches: Vec<Stretch> = stretches(1, &keys).collect();
        for key in &keys {
            let holds = |stretch: &&Stretch| stretch.after < *key && *key <= stretch.through;
            assert_eq!(stretches.iter().filter(holds).count(), 1, "{key}");
        }
        assert!(super::stretches(1, &[]).next().is_none());
    }
}

//! Forgets what nobody will ask for again, in bites so small that no login waits behind one.

use crate::actors::Db;
use crate::domain::Clock;
use crate::store::PurgeExchanges;
use std::time::Duration;

/// A code lives five minutes at WeChat; its record is kept for as long again, or for the replay window.
const KEEP_EXCHANGES_SECONDS: i64 = 600;

const BITE: i64 = 500;
const PAUSE_BETWEEN_BITES: Duration = Duration::from_millis(200);
const PAUSE_WHEN_DONE: Duration = Duration::from_secs(60);

/// Purges until the process ends. Failures are logged and tried again a minute later.
pub async fn purge_forever(db: Db, clock: Clock, replay_window: i64) {
    let keep = KEEP_EXCHANGES_SECONDS.max(replay_window + 60);
    loop {
        let purge = PurgeExchanges { before: clock.now().plus_seconds(-keep), limit: BITE };
        let pause = match db.commit(purge).await {
            Ok(gone) if gone as i64 == BITE => PAUSE_BETWEEN_BITES,
            Ok(_) => PAUSE_WHEN_DONE,
            Err(error) => {
                log::warn!("old exchange records could not be purged: {error}");
                PAUSE_WHEN_DONE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

//! What the terminal, or another node, does to the keys is done here within seconds; and what is to be done by
//! itself, the replacement of a key by age and the end of an old one, is done by whichever node comes first.

use super::check_clock::{ClockDifference, shared_time};
use super::start_keys::{ServerKeys, StartKeysError, master_key_fits, newest};
use crate::domain::{PUBLISHED_BEFORE_SIGNING, Time};
use crate::store::{LoadKeys, RetireDueKeys, RotateIf, StoredKey};
use crate::tokens::Verifier;
use std::time::Duration;

/// Between two looks. Of the time for which a new key is published before it signs, this is the nodes' share.
const PAUSE: Duration = Duration::from_secs(5);

/// Follows the keys until the process ends. While the database can't be read the server goes on with the keys that
/// it has, and while a key in it can't be opened, with what it has of that one.
pub async fn follow_keys(keys: ServerKeys, tokens: Verifier) {
    // What is off already was told of at the start.
    let difference = shared_time(&keys.db, keys.clock).await.ok().and_then(|time| time.difference);
    let mut follower = Follower { keys, tokens, seen: Vec::new(), opened: false, difference };
    loop {
        tokio::time::sleep(PAUSE).await;
        match follower.look().await {
            Ok(()) => {}
            Err(StartKeysError::Store(error)) => log::warn!("the keys could not be read: {error}"),
            Err(error) => {
                log::error!("the keys in the database can't be used, those from before stay: {error}");
            }
        }
    }
}

struct Follower {
    keys: ServerKeys,
    tokens: Verifier,
    /// As they were when they were looked at last.
    seen: Vec<StoredKey>,
    /// Could all be opened? Who can't must not seal new ones either.
    opened: bool,
    /// How far this machine's clock was off then.
    difference: Option<ClockDifference>,
}

impl Follower {
    async fn look(&mut self) -> Result<(), StartKeysError> {
        let time = shared_time(&self.keys.db, self.keys.clock).await?;
        if let Some(difference) = time.difference.filter(|_| self.difference.is_none()) {
            log::error!("{difference}");
        }
        self.difference = time.difference;
        let mut stored = self.keys.db.run(LoadKeys).await?;
        // One that was retired without another in its place: not what `keys reset` leaves, which is for a new start.
        if master_key_fits(&self.keys.master, &stored) {
            stored = self.keys.complete(stored, time.now).await?;
        }
        if stored != self.seen {
            // What can't be opened is told of once, not every few seconds.
            self.seen.clone_from(&stored);
            self.opened = false;
            let (ring, faults) = self.keys.reopen(&stored, &self.tokens.keys())?;
            self.tokens.replace_keys(ring);
            self.opened = faults.is_empty();
            for fault in faults {
                log::error!(
                    "a key in the database can't be used, what is known of it from before stays: {fault}"
                );
            }
        }
        if self.opened {
            self.keys.raise_token_seconds(&stored).await?;
            self.replace_by_age(&stored, time.now).await?;
        }
        self.retire(&stored, time.now).await
    }

    /// Replaces the key that signs when it has come to its age, early enough for the next one to be published.
    async fn replace_by_age(&self, stored: &[StoredKey], now: Time) -> Result<(), StartKeysError> {
        let max_age = self.keys.policy.max_age;
        let active_before = now.plus_seconds(PUBLISHED_BEFORE_SIGNING - max_age);
        if max_age > 0 && newest(stored).is_some_and(|key| key.active_from < active_before) {
            self.keys.rotate(RotateIf::ActiveSinceBefore(active_before), now).await?;
        }
        Ok(())
    }

    /// Destroys the keys whose last tokens have ended.
    async fn retire(&self, stored: &[StoredKey], now: Time) -> Result<(), StartKeysError> {
        if stored.iter().any(|key| key.verifies_until.is_some_and(|until| until <= now)) {
            for id in self.keys.db.commit(RetireDueKeys { at: now }).await? {
                log::info!("the signing key {id} is retired: the last token that it signed has ended");
            }
        }
        Ok(())
    }
}

//! Follows changes to the keys made at the terminal or by another node, within seconds. Also does what is due by
//! itself, replacing a key by age and retiring an old one; whichever node comes first does it.

use super::background::Outage;
use super::check_clock::{ClockDifference, shared_time};
use super::start_keys::{ServerKeys, StartKeysError, master_key_fits, newest};
use crate::domain::{PUBLISHED_BEFORE_SIGNING, Time};
use crate::store::{LoadKeys, RetireDueKeys, RotateIf, StoredKey};
use crate::tokens::Verifier;
use std::time::Duration;

/// Between two reads. This is the nodes' share of the time for which a new key is published before it signs.
const PAUSE: Duration = Duration::from_secs(5);

/// Follows the keys until the process ends. While the database can't be read, the server keeps the keys that it
/// has; if a key in it can't be opened, the server keeps its earlier version of that key.
pub async fn follow_keys(keys: ServerKeys, tokens: Verifier) {
    // A skew that existed at startup has been logged there.
    let difference = shared_time(&keys.db, &keys.clock).await.ok().and_then(|time| time.difference);
    let mut follower = Follower { keys, tokens, seen: Vec::new(), opened: false, difference };
    let outage = Outage::new(
        "the signing keys can't be read; those already known stay in use",
        "the signing keys can be read again",
    );
    loop {
        tokio::time::sleep(PAUSE).await;
        match follower.look().await {
            Ok(()) => outage.ends(),
            Err(StartKeysError::Store(error)) => outage.goes_on(&error),
            Err(error) => {
                outage.ends();
                log::error!(
                    "the stored signing keys can't be used; those already known stay in use: {error}"
                );
            }
        }
    }
}

struct Follower {
    keys: ServerKeys,
    tokens: Verifier,
    /// The keys as last read.
    seen: Vec<StoredKey>,
    /// Whether all could be opened. If not, this node must not replace any by age.
    opened: bool,
    /// How far this machine's clock was off at the last read.
    difference: Option<ClockDifference>,
}

impl Follower {
    async fn look(&mut self) -> Result<(), StartKeysError> {
        let time = shared_time(&self.keys.db, &self.keys.clock).await?;
        if let Some(difference) = time.difference.filter(|_| self.difference.is_none()) {
            log::error!("{difference}");
        }
        self.difference = time.difference;
        let mut stored = self.keys.db.run(LoadKeys).await?;
        if stored != self.seen {
            // Replaces a key retired without a successor, but not those that `keys reset` removed: they need a restart.
            if master_key_fits(&self.keys.master, &stored) {
                stored = self.keys.complete(stored, time.now).await?;
            }
            // A key that can't be opened is logged once, not every few seconds.
            self.seen.clone_from(&stored);
            self.opened = false;
            let (ring, faults) = self.keys.reopen(&stored, &self.tokens.keys())?;
            self.tokens.replace_keys(ring);
            self.opened = faults.is_empty();
            for fault in faults {
                log::error!(
                    "a stored key can't be used; if it was read before, it stays in use as it was then: {fault}"
                );
            }
        }
        if self.opened {
            self.keys.raise_token_seconds(&stored).await?;
            self.replace_by_age(&stored, time.now).await?;
        }
        self.retire(&stored, self.keys.clock.surely_past(time.now)).await
    }

    /// Replaces the signing key at its maximum age, early enough for the next one to be published first.
    async fn replace_by_age(&self, stored: &[StoredKey], now: Time) -> Result<(), StartKeysError> {
        let max_age = self.keys.policy.max_age;
        let active_before = now.plus_seconds(PUBLISHED_BEFORE_SIGNING - max_age);
        if max_age > 0 && newest(stored).is_some_and(|key| key.active_from < active_before) {
            self.keys.rotate(RotateIf::ActiveSinceBefore(active_before), now).await?;
        }
        Ok(())
    }

    /// Destroys the keys whose last tokens have expired.
    async fn retire(&self, stored: &[StoredKey], now: Time) -> Result<(), StartKeysError> {
        if stored.iter().any(|key| key.verifies_until.is_some_and(|until| until <= now)) {
            for id in self.keys.db.commit(RetireDueKeys { at: now }).await? {
                log::info!("the signing key {id} is retired: the last token that it signed has ended");
            }
        }
        Ok(())
    }
}

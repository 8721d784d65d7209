//! The server's keys at startup: created on the first start, opened with the master key on every later one.

use super::check_clock::shared_time;
use super::new_keys::{new_refresh_key, new_signing_key};
use crate::actors::Db;
use crate::crypto::{KeyError, MacKey, MasterKeys, SigningAlgorithm, UnsealError};
use crate::domain::{Actor, Clock, PUBLISHED_BEFORE_SIGNING, RefreshTokenMac, Time};
use crate::store::{
    KeyPurpose, LoadKeys, NewKey, RaiseTokenSeconds, RotateIf, RotateKey, StoreError, StoreFirstKeys,
    StoredKey,
};
use crate::tokens::{KeyRing, SigningKey};
use std::sync::Arc;

/// Why the keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum StartKeysError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys in the database were sealed under another master key.
    #[error(
        "WEAUTH_MASTER_KEY does not fit this database: its keys were sealed under another one. Set the key this \
         database was made with; to replace it, give the new and the old one separated by a comma. If it is lost for \
         good, `weauth keys reset` lets everybody begin anew"
    )]
    MasterKey,
    /// One key does not open, though others do.
    #[error(
        "the stored key {0} does not open under WEAUTH_MASTER_KEY, though another one does: while the master key is \
         being replaced, set the new and the old one separated by a comma; else the row is damaged, and \
         `weauth keys retire {0}` takes it out of use (where no other one signs, `weauth keys rotate --in 0` first)"
    )]
    Damaged(String),
    /// A key opened but is malformed.
    #[error(
        "the stored key {0} is malformed; `weauth keys retire {0}` takes it out of use (where no other one signs, \
         `weauth keys rotate --in 0` first)"
    )]
    Malformed(String),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There are no keys any more.
    #[error("the database holds no keys any more: restart this server, and it makes new ones")]
    Gone,
}

/// The policy for a server's keys.
#[derive(Debug, Clone, Copy)]
pub struct KeyPolicy {
    /// The algorithm of new signing keys.
    pub algorithm: SigningAlgorithm,
    /// The age in seconds at which a key is replaced; 0: never.
    pub max_age: i64,
    /// The lifetime of an access token, in seconds.
    pub access_ttl: i64,
}

/// The keys of a server and what is needed to manage them.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    pub(super) db: Db,
    pub(super) master: MasterKeys,
    pub(super) policy: KeyPolicy,
    issuer: String,
    pub(super) clock: Clock,
}

impl ServerKeys {
    /// `issuer` is the public URL of this server.
    pub fn new(db: Db, master: MasterKeys, policy: KeyPolicy, issuer: String, clock: Clock) -> Self {
        Self { db, master, policy, issuer, clock }
    }

    /// Loads the keys, or makes the first ones. If the newest signing key has another algorithm than configured,
    /// adds one with the configured algorithm; the others sign until it becomes active.
    pub async fn start(&self) -> Result<KeyRing, StartKeysError> {
        let time = shared_time(&self.db, &self.clock).await?;
        if let Some(difference) = time.difference {
            log::error!("{difference}");
        }
        let stored = self.db.run(LoadKeys).await?;
        // Check this before sealing anything: a key sealed under a wrong master key would make that one seem to fit.
        if !stored.is_empty() && !master_key_fits(&self.master, &stored) {
            return Err(StartKeysError::MasterKey);
        }
        let mut stored = self.complete(stored, time.now).await?;
        self.open(&stored)?;
        self.raise_token_seconds(&stored).await?;
        if newest(&stored).is_some_and(|key| key.algorithm != self.policy.algorithm.as_str())
            && self.rotate(RotateIf::AlgorithmDiffers, time.now).await?
        {
            stored = self.db.run(LoadKeys).await?;
        }
        self.open(&stored)
    }

    /// Makes the missing keys, if a purpose has none.
    pub(super) async fn complete(
        &self,
        stored: Vec<StoredKey>,
        now: Time,
    ) -> Result<Vec<StoredKey>, StartKeysError> {
        let lacks = |wanted: KeyPurpose| stored.iter().all(|key| key.purpose != wanted);
        if !lacks(KeyPurpose::Sign) && !lacks(KeyPurpose::Refresh) {
            return Ok(stored);
        }
        let keys = vec![self.new_key().await?, new_refresh_key(&self.master)];
        Ok(self.db.commit(StoreFirstKeys { keys, at: now }).await?)
    }

    /// Opens all the keys with the master key, or fails.
    fn open(&self, stored: &[StoredKey]) -> Result<KeyRing, StartKeysError> {
        let (ring, faults) = self.open_beside(stored, None)?;
        faults.into_iter().next().map_or(Ok(ring), Err)
    }

    /// Opens the keys on a running server. A key that does not open, any more or yet, affects only itself, and
    /// changes nothing if this server has it from before. Also returns the keys' errors.
    pub(super) fn reopen(
        &self,
        stored: &[StoredKey],
        present: &KeyRing,
    ) -> Result<(KeyRing, Vec<StartKeysError>), StartKeysError> {
        self.open_beside(stored, Some(present))
    }

    /// Opens the keys that can be opened, and takes the others from `present`.
    fn open_beside(
        &self,
        stored: &[StoredKey],
        present: Option<&KeyRing>,
    ) -> Result<(KeyRing, Vec<StartKeysError>), StartKeysError> {
        let (mut faults, mut signing) = (Vec::new(), Vec::new());
        let mut refresh = None;
        for key in stored {
            let opened = match key.purpose {
                KeyPurpose::Sign => {
                    let opened = self.open_signing_key(key).map(|key| signing.push(Arc::new(key)));
                    if opened.is_err() {
                        signing.extend(present.and_then(|present| present.key(&key.id)).cloned());
                    }
                    opened
                }
                KeyPurpose::Refresh => {
                    let opened = self.open_refresh_key(key);
                    let from_before = || present.map(|present| present.refresh().clone());
                    refresh = opened.as_ref().ok().cloned().or_else(from_before);
                    opened.map(drop)
                }
            };
            faults.extend(opened.err());
        }
        if !stored.is_empty() && !master_key_fits(&self.master, stored) {
            faults = vec![StartKeysError::MasterKey];
        }
        match refresh.map(|refresh| KeyRing::new(self.issuer.clone(), signing, refresh)) {
            Some(Ok(ring)) => Ok((ring, faults)),
            _ => Err(faults.into_iter().next().unwrap_or(StartKeysError::Gone)),
        }
    }

    fn open_refresh_key(&self, key: &StoredKey) -> Result<RefreshTokenMac, StartKeysError> {
        Ok(RefreshTokenMac::new(MacKey::from_bytes(&self.unseal(key)?)))
    }

    fn open_signing_key(&self, key: &StoredKey) -> Result<SigningKey, StartKeysError> {
        let malformed = || StartKeysError::Malformed(key.id.clone());
        let algorithm = SigningAlgorithm::parse(&key.algorithm).map_err(|_| malformed())?;
        let opened = SigningKey::from_pkcs8(algorithm, &self.unseal(key)?, key.active_from)
            .map_err(|_| malformed())?;
        if opened.id == key.id { Ok(opened) } else { Err(malformed()) }
    }

    fn unseal(&self, key: &StoredKey) -> Result<Vec<u8>, StartKeysError> {
        unseal(&self.master, key).map_err(|_| StartKeysError::Damaged(key.id.clone()))
    }

    /// Extends how long each key verifies to this server's token lifetime.
    pub(super) async fn raise_token_seconds(&self, stored: &[StoredKey]) -> Result<(), StoreError> {
        let seconds = self.policy.access_ttl;
        let too_short = |key: &StoredKey| key.purpose == KeyPurpose::Sign && key.token_seconds < seconds;
        if stored.iter().any(too_short) {
            self.db.commit(RaiseTokenSeconds { seconds }).await?;
        }
        Ok(())
    }

    /// Adds a new key if `condition` holds in the database at that moment.
    pub(super) async fn rotate(&self, condition: RotateIf, now: Time) -> Result<bool, StartKeysError> {
        let key = self.new_key().await?;
        let (id, algorithm) = (key.id.clone(), key.algorithm.clone());
        let active_from = now.plus_seconds(PUBLISHED_BEFORE_SIGNING);
        let rotate = RotateKey { key, condition, at: now, active_from, by: Actor::server() };
        let came_in = self.db.commit(rotate).await?;
        if came_in {
            log::info!(
                "a new signing key, {id} ({algorithm}), is published and signs from {}",
                active_from.rfc3339()
            );
        }
        Ok(came_in)
    }

    /// Makes a key on a blocking thread.
    async fn new_key(&self) -> Result<NewKey, KeyError> {
        let (master, policy) = (self.master.clone(), self.policy);
        let make = move || new_signing_key(&master, policy.algorithm, policy.access_ttl);
        tokio::task::spawn_blocking(make).await.unwrap_or(Err(KeyError::NotGenerated))
    }
}

/// Whether the master key opens any of these keys. If not, they were sealed under another one.
pub fn master_key_fits(master: &MasterKeys, stored: &[StoredKey]) -> bool {
    stored.iter().any(|key| unseal(master, key).is_ok())
}

/// The newest signing key.
pub(super) fn newest(stored: &[StoredKey]) -> Option<&StoredKey> {
    stored.iter().rfind(|key| key.purpose == KeyPurpose::Sign)
}

fn unseal(master: &MasterKeys, key: &StoredKey) -> Result<Vec<u8>, UnsealError> {
    master.open(&NewKey::seal_row(&key.id), &key.sealed)
}

//! The API keys in use, cached in memory: a call with a key reads no database, and a revoked key stops working
//! here within a second.
//!
//! The table is small, so every node reads all of it twice a second. An unknown key may have been created just
//! now, so a request with one waits for the next read, which then starts at once. Everyone waiting shares that
//! read, so made-up keys cost the database at most one small query every tenth of a second.

use super::background::Outage;
use crate::actors::Db;
use crate::domain::{ApiKey, ApiKeyHash, ApiKeyName, ApiScope, Clock, Time};
use crate::shared::{lock, read, write};
use crate::store::{FindApiKeysInUse, MAX_WAIT, NoteApiKeyUses, StoreError, StoredApiKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The follower's pause between two reads.
const PAUSE: Duration = Duration::from_millis(500);

/// The minimum time between two reads, whoever requests them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// How many seconds pass before a key's last use is written again.
const NOTE_USES_EVERY: i64 = 60;

/// An API key in use.
#[derive(Debug)]
pub struct KnownApiKey {
    /// The key's name.
    pub name: ApiKeyName,
    scopes: Vec<ApiScope>,
}

impl KnownApiKey {
    /// Whether the key grants this scope.
    pub fn opens(&self, asked: ApiScope) -> bool {
        self.scopes.iter().any(|scope| scope.opens(asked))
    }
}

/// The latest read of the table.
#[derive(Debug)]
struct Look {
    began: Instant,
    /// `None` if the caller that made the read went away half-way.
    result: Option<Result<(), StoreError>>,
}

/// The known API keys. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    db: Db,
    clock: Clock,
    known: Arc<RwLock<HashMap<ApiKeyHash, Arc<KnownApiKey>>>>,
    latest: Arc<Mutex<Option<Look>>>,
    used: Arc<Lock<HashMap<ApiKeyHash, Time>>>,
    unnoted: Arc<Outage>,
}

impl ApiKeys {
    /// Reads keys from `db`.
    pub fn new(db: Db, clock: Clock) -> Self {
        let unnoted = Outage::new(
            "the last uses of API keys can't be noted",
            "the last uses of API keys are noted again",
        );
        Self {
            db,
            clock,
            known: Arc::default(),
            latest: Arc::default(),
            used: Arc::default(),
            unnoted: Arc::new(unnoted),
        }
    }

    /// Finds a key; `None` if it does not exist or was revoked. While the database can't be read, keys already
    /// known stay valid, as sessions do.
    pub async fn find(&self, key: &ApiKey) -> Result<Option<Arc<KnownApiKey>>, StoreError> {
        let hash = key.hash();
        let mut found = self.known(&hash);
        if found.is_none() {
            let looked = timeout(MAX_WAIT, self.read_since(Instant::now())).await;
            looked
                .map_err(|_| StoreError::Unavailable("the API keys could not be read in time".into()))??;
            found = self.known(&hash);
        }
        if found.is_some() {
            lock(&self.used).insert(hash, self.clock.now());
        }
        Ok(found)
    }

    /// Reads the table until the process ends.
    pub async fn follow_forever(self) {
        let outage = Outage::new(
            "the API keys can't be read; those already known stay valid",
            "the API keys can be read again",
        );
        loop {
            outage.note(self.read_since(Instant::now()).await);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn known(&self, hash: &ApiKeyHash) -> Option<Arc<KnownApiKey>> {
        read(&self.known).get(hash).cloned()
    }

    /// Returns once the table has been read by a read that began after this moment, by this caller or another.
    async fn read_since(&self, moment: Instant) -> Result<(), StoreError> {
        let mut latest = self.latest.lock().await;
        if let Some(look) = latest.as_ref() {
            if look.began >= moment
                && let Some(result) = &look.result
            {
                return result.clone();
            }
            tokio::time::sleep(SHORTEST_PAUSE.saturating_sub(look.began.elapsed())).await;
        }
        let began = Instant::now();
        *latest = Some(Look { began, result: None });
        let result = self.look().await;
        *latest = Some(Look { began, result: Some(result.clone()) });
        result
    }

    async fn look(&self) -> Result<(), StoreError> {
        let stored = self.db.run(FindApiKeysInUse).await?;
        self.note_uses(&stored);
        let known =
            |key: StoredApiKey| (key.hash, Arc::new(KnownApiKey { name: key.name, scopes: key.scopes }));
        let known = stored.into_iter().map(known).collect();
        *write(&self.known) = known;
        Ok(())
    }

    /// Writes the uses that the table does not show yet, in the background.
    fn note_uses(&self, stored: &[StoredApiKey]) {
        let used = std::mem::take(&mut *lock(&self.used));
        let shown: HashMap<_, _> = stored.iter().map(|key| (&key.hash, key.last_used_at)).collect();
        // A key that is missing was revoked just now, and its last use matters most of all.
        let is_due = |(hash, at): &(ApiKeyHash, Time)| match shown.get(hash) {
            Some(Some(shown)) => *at >= shown.plus_seconds(NOTE_USES_EVERY),
            Some(None) | None => true,
        };
        let mut uses: Vec<_> = used.into_iter().filter(is_due).collect();
        // In the same order on every node, so that no two deadlock.
        uses.sort_unstable();
        if uses.is_empty() {
            return;
        }
        let (db, unnoted) = (self.db.clone(), self.unnoted.clone());
        tokio::task::spawn_local(async move { unnoted.note(db.commit(NoteApiKeyUses(uses)).await) });
    }
}

//! Sharded maps: parallel calls rarely wait for each other, and memory is bounded.

use crate::shared::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard};

const SHARDS: usize = 16;

/// Smaller shards are never purged.
const SMALLEST_PURGE: usize = 256;

/// A sharded map with a lock per shard, which evicts stale entries.
pub(super) struct Shards<K, V> {
    hasher: RandomState,
    shards: [Mutex<Shard<K, V>>; SHARDS],
    capacity: usize,
}

/// A shard of the map.
pub(super) struct Shard<K, V> {
    entries: HashMap<K, V>,
    purge_at: usize,
    capacity: usize,
}

impl<K: Eq + Hash, V> Shards<K, V> {
    /// An empty map. If more than `capacity` entries are fresh, whole shards are evicted.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity / SHARDS;
        let shard = || Shard { entries: HashMap::new(), purge_at: SMALLEST_PURGE, capacity };
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::new(shard())), capacity }
    }

    /// Locks the shard of this key.
    pub(super) fn of<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, Shard<K, V>> {
        // The inner map hashes independently, so any bits will do here.
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        lock(&self.shards[index])
    }

    /// The number of entries, including stale ones that were not evicted yet.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Removes all entries.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) =
                Shard { entries: HashMap::new(), purge_at: SMALLEST_PURGE, capacity: self.capacity };
        }
    }
}

impl<K: Eq + Hash, V> Shard<K, V> {
    /// The entries, for lookups and changes.
    pub(super) fn entries(&mut self) -> &mut HashMap<K, V> {
        &mut self.entries
    }

    /// Makes room before an insertion. The shard is purged of stale entries each time it has doubled, so the
    /// cost per insertion is constant.
    pub(super) fn make_room(&mut self, mut is_fresh: impl FnMut(&V) -> bool) {
        if self.entries.len() < self.purge_at {
            return;
        }
        self.entries.retain(|_, value| is_fresh(value));
        if self.entries.len() >= self.capacity {
            self.entries.clear();
        }
        self.purge_at = (self.entries.len() * 2).max(SMALLEST_PURGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_entries_are_forgotten_and_the_number_of_fresh_ones_is_bounded() {
        let map: Shards<usize, bool> = Shards::new(16_000);
        for key in 0..100_000 {
            let mut shard = map.of(&key);
            shard.make_room(|fresh| *fresh);
            shard.entries().insert(key, false);
        }
        assert!(map.len() <= SHARDS * SMALLEST_PURGE);
        for key in 0..100_000 {
            let mut shard = map.of(&key);
            shard.make_room(|fresh| *fresh);
            shard.entries().insert(key, true);
        }
        assert!(map.len() <= 2 * 16_000 + SHARDS * SMALLEST_PURGE);
        map.clear();
        assert_eq!(map.len(), 0);
    }
}

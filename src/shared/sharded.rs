//! Maps for data that every request reads: cheap hashes, and a value split into shards, each with its own lock and
//! chosen by key, so that readers do not wait for one another. Even an uncontended lock is memory that every
//! reader writes to.

use super::{read, write};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A map with a cheap hash, for keys that are random enough themselves and that strangers can't choose: our own
/// ids and signatures.
pub(crate) type ByChance<K, V> = HashMap<K, V, BuildHasherDefault<ChanceHasher>>;

/// Mixes up to 32 bytes of a key.
#[derive(Debug, Default)]
pub(crate) struct ChanceHasher(u64);

impl Hasher for ChanceHasher {
    fn write(&mut self, bytes: &[u8]) {
        // A digit carries only a few bits per byte, and a map uses the highest and lowest bits of a hash.
        for chunk in bytes.chunks_exact(8).take(4) {
            let chunk = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            self.0 = (self.0.rotate_left(23) ^ chunk).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// More shards than threads read at once, on any machine that this runs on.
const PARTS: usize = 32;

/// One shard, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part<T>(RwLock<T>);

/// A value in shards. Cheap to clone: clones share the shards.
#[derive(Debug)]
pub(crate) struct Sharded<T>(Arc<[Part<T>; PARTS]>);

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Part::default())))
    }
}

impl<T> Clone for Sharded<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sharded<T> {
    /// The number of shards.
    pub(crate) const PARTS: usize = PARTS;

    /// Locks the shard of a key for reading.
    pub(crate) fn read(&self, key: &str) -> RwLockReadGuard<'_, T> {
        read(&self.part(key).0)
    }

    /// Locks the shard of a key for writing.
    pub(crate) fn write(&self, key: &str) -> RwLockWriteGuard<'_, T> {
        write(&self.part(key).0)
    }

    /// Locks every shard in turn for writing.
    pub(crate) fn write_each(&self) -> impl Iterator<Item = RwLockWriteGuard<'_, T>> {
        self.0.iter().map(|part| write(&part.0))
    }

    /// Chooses the shard by the end of the key (its FNV-1a hash): ids begin with a timestamp and end in random digits.
    fn part(&self, key: &str) -> &Part<T> {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = key.bytes().rev().take(8).fold(0xcbf2_9ce4_8422_2325, mix);
        &self.0[(hash >> 32) as usize % PARTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_key_has_one_part_and_many_keys_have_all() {
        let sharded: Sharded<HashSet<String>> = Sharded::default();
        let keys: Vec<String> = (0..1000).map(|_| uuid::Uuid::now_v7().simple().to_string()).collect();
        for key in &keys {
            sharded.clone().write(key).insert(key.clone());
        }
        assert!(keys.iter().all(|key| sharded.read(key).contains(key)));
        let sizes: Vec<usize> = sharded.write_each().map(|part| part.len()).collect();
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (PARTS, 1000));
        assert!(sizes.iter().all(|size| (5..100).contains(size)), "{sizes:?}");
        assert!(!sharded.read("").contains(""));
    }
}

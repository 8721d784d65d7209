//! A value in parts, each behind a lock of its own, chosen by a key: so that threads that only look do not wait for
//! one another. Even a lock that nobody holds is a place in memory that every look writes to.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// More than there are threads that look at once, on any machine that this runs on.
const PARTS: usize = 32;

/// Each part on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part<T>(RwLock<T>);

/// The parts. Cheap to clone: a clone is the same parts.
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
    /// How many parts there are.
    pub(crate) const PARTS: usize = PARTS;

    /// The part of a key, to look at.
    pub(crate) fn read(&self, key: &str) -> RwLockReadGuard<'_, T> {
        self.part(key).0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a key, to change.
    pub(crate) fn write(&self, key: &str) -> RwLockWriteGuard<'_, T> {
        self.part(key).0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every part in turn, to change.
    pub(crate) fn write_each(&self) -> impl Iterator<Item = RwLockWriteGuard<'_, T>> {
        self.0.iter().map(|part| part.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// By the end of the key (FNV-1a of it): ids begin with their time and end in chance.
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

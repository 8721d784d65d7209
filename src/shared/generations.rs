//! A bounded cache that needs no bookkeeping at a hit.

use super::ByChance;
use std::hash::Hash;

/// Caches at least `CAPACITY` values and at most twice as many, in two generations. When the young one is full it
/// replaces the old one, which evicts every value that was not used in the meantime.
#[derive(Debug)]
pub(crate) struct TwoGenerations<K, V, const CAPACITY: usize> {
    young: ByChance<K, V>,
    old: ByChance<K, V>,
}

impl<K, V, const CAPACITY: usize> Default for TwoGenerations<K, V, CAPACITY> {
    fn default() -> Self {
        Self { young: ByChance::default(), old: ByChance::default() }
    }
}

impl<K: Eq + Hash, V, const CAPACITY: usize> TwoGenerations<K, V, CAPACITY> {
    /// The value of a key. This alone does not count as use.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Passes the value of a key to `look`, and counts that as use.
    pub(crate) fn look<T>(&mut self, key: K, look: impl FnOnce(&V) -> T) -> Option<T> {
        if let Some(value) = self.young.get(&key) {
            return Some(look(value));
        }
        let value = self.old.remove(&key)?;
        Some(look(self.insert(key, value)))
    }

    /// Caches a value, in place of an earlier one of this key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> &V {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(key).insert_entry(value).into_mut()
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_makes_room() {
        let mut cache = TwoGenerations::<u128, u128, 10>::default();
        for key in 0..1000 {
            cache.insert(key, key * 2);
            assert_eq!(cache.look(7.min(key), |value| *value), Some(14.min(key * 2)));
            assert_eq!(cache.get(&key), Some(&(key * 2)));
            assert!(cache.len() <= 20);
        }
        assert_eq!((cache.get(&7), cache.get(&8)), (Some(&14), None));
        cache.insert(7, 0);
        assert_eq!(cache.look(7, |value| *value), Some(0));
    }
}

//! The tokens that one thread has verified: a hot token costs a hash look-up, not a signature.

use super::Principal;
use crate::sharded::ByChance;
use std::cell::RefCell;
use std::sync::Arc;

/// How many tokens a thread remembers at least; at most twice as many, about 1.5 KiB each.
const CAPACITY: usize = 8192;

/// Verified tokens, in two generations: when the young one is full it becomes the old one, and what was
/// not asked for in the meantime is forgotten.
#[derive(Debug, Default)]
pub struct TokenMemory {
    young: BySignature,
    old: BySignature,
    /// How often keys had been taken away when these tokens were verified.
    withdrawals: u64,
}

/// Only verified ones are kept: nobody can make many that collide.
type BySignature = ByChance<Box<str>, Remembered>;

#[derive(Debug, Clone)]
struct Remembered {
    /// Header and claims; the signature, as the key, stands for them but is not trusted to.
    signed_part: Box<str>,
    principal: Arc<Principal>,
}

impl TokenMemory {
    /// What this thread remembers.
    pub fn of_this_thread<T>(look: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static MEMORY: RefCell<TokenMemory> = RefCell::default();
        }
        MEMORY.with_borrow_mut(look)
    }

    /// Forgets everything if keys were taken away since it was remembered.
    pub(super) fn forget_unless(&mut self, withdrawals: u64) {
        if self.withdrawals != withdrawals {
            *self = Self { withdrawals, ..Self::default() };
        }
    }

    pub(super) fn get(&mut self, token: &str) -> Option<Arc<Principal>> {
        let (signed_part, signature) = token.rsplit_once('.')?;
        if let Some(remembered) = self.young.get(signature) {
            return (*remembered.signed_part == *signed_part).then(|| remembered.principal.clone());
        }
        let remembered = self.old.get(signature).filter(|found| *found.signed_part == *signed_part)?.clone();
        let principal = remembered.principal.clone();
        self.put(signature, remembered);
        Some(principal)
    }

    pub(super) fn insert(&mut self, token: &str, principal: Principal) -> Arc<Principal> {
        let principal = Arc::new(principal);
        if let Some((signed_part, signature)) = token.rsplit_once('.') {
            self.put(signature, Remembered { signed_part: signed_part.into(), principal: principal.clone() });
        }
        principal
    }

    fn put(&mut self, signature: &str, remembered: Remembered) {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(signature.into(), remembered);
    }
}

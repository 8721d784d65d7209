//! A cache of the tokens that one thread has verified: a hit costs a hash lookup instead of a signature check.

use super::Principal;
use crate::shared::TwoGenerations;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Tokens that a thread caches at least; at most twice as many, about 1.5 KiB each.
const CAPACITY: usize = 8192;

/// Verified tokens.
#[derive(Default)]
pub(super) struct TokenMemory {
    /// By the last 16 characters of the signature. Only verified tokens are kept, so nobody can force collisions.
    known: TwoGenerations<u128, Remembered, CAPACITY>,
    /// Identifies the verifier, and its keys, that verified these tokens.
    stamp: u64,
}

/// A verified token.
pub(super) struct Remembered {
    token: Box<str>,
    /// The user that it represents.
    pub(super) principal: Arc<Principal>,
    /// The number of revocations when none of them was found to apply to it.
    pub(super) uncontradicted_at: Cell<Option<u64>>,
}

impl TokenMemory {
    /// Gives access to this thread's cache.
    pub(super) fn of_this_thread<T>(look: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static MEMORY: RefCell<TokenMemory> = RefCell::default();
        }
        MEMORY.with_borrow_mut(look)
    }

    /// Clears the cache if it belongs to another stamp.
    pub(super) fn forget_unless(&mut self, stamp: u64) {
        if self.stamp != stamp {
            *self = Self { stamp, ..Self::default() };
        }
    }

    /// Looks a token up, and passes what is cached of it to `look`.
    pub(super) fn look<T>(&mut self, token: &str, look: impl FnOnce(&Remembered) -> T) -> Option<T> {
        let known = self.known.look(tail(token)?, |remembered| {
            let is_it = *remembered.token == *token;
            is_it.then(|| look(remembered))
        });
        known.flatten()
    }

    /// Caches a token that was just verified, and passes it to `look`.
    pub(super) fn insert<T>(
        &mut self,
        token: &str,
        principal: Principal,
        look: impl FnOnce(&Remembered) -> T,
    ) -> T {
        let principal = Arc::new(principal);
        let remembered = Remembered { token: token.into(), principal, uncontradicted_at: Cell::new(None) };
        match tail(token) {
            Some(tail) => look(self.known.insert(tail, remembered)),
            None => look(&remembered),
        }
    }
}

/// Shows the number of tokens only.
impl std::fmt::Debug for TokenMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenMemory({} tokens)", self.known.len())
    }
}

fn tail(token: &str) -> Option<u128> {
    token.as_bytes().last_chunk().map(|tail| u128::from_le_bytes(*tail))
}

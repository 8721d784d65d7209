//! The tokens that one thread has verified: a hot token costs a hash look-up, not a signature.

use super::Principal;
use crate::sharded::ByChance;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// How many tokens a thread remembers at least; at most twice as many, about 1.5 KiB each.
const CAPACITY: usize = 8192;

/// Verified tokens, in two generations: when the young one is full it becomes the old one, and what was
/// not asked for in the meantime is forgotten.
#[derive(Default)]
pub struct TokenMemory {
    young: ByTail,
    old: ByTail,
    /// Of the verifier, and the keys, by which these tokens were verified.
    stamp: u64,
}

/// By the last 16 letters of the signature. Only verified tokens are kept: nobody can make many that collide.
type ByTail = ByChance<u128, Remembered>;

/// A verified token.
pub(super) struct Remembered {
    token: Box<str>,
    /// Whom it speaks for.
    pub(super) principal: Arc<Principal>,
    /// How many revocations there were when none of them contradicted it.
    pub(super) uncontradicted_at: Cell<Option<u64>>,
}

impl TokenMemory {
    /// What this thread remembers.
    pub fn of_this_thread<T>(look: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static MEMORY: RefCell<TokenMemory> = RefCell::default();
        }
        MEMORY.with_borrow_mut(look)
    }

    /// Forgets everything that was remembered under another stamp.
    pub(super) fn forget_unless(&mut self, stamp: u64) {
        if self.stamp != stamp {
            *self = Self { stamp, ..Self::default() };
        }
    }

    /// Looks at what is remembered of a token.
    pub(super) fn look<T>(&mut self, token: &str, look: impl FnOnce(&Remembered) -> T) -> Option<T> {
        let tail = tail(token)?;
        let is_it = |remembered: &&Remembered| *remembered.token == *token;
        if let Some(remembered) = self.young.get(&tail) {
            return is_it(&remembered).then(|| look(remembered));
        }
        self.old.get(&tail).filter(is_it)?;
        let remembered = self.old.remove(&tail)?;
        Some(look(self.put(tail, remembered)))
    }

    /// Remembers a token that was just verified, and looks at it.
    pub(super) fn insert<T>(
        &mut self,
        token: &str,
        principal: Principal,
        look: impl FnOnce(&Remembered) -> T,
    ) -> T {
        let principal = Arc::new(principal);
        let remembered = Remembered { token: token.into(), principal, uncontradicted_at: Cell::new(None) };
        match tail(token) {
            Some(tail) => look(self.put(tail, remembered)),
            None => look(&remembered),
        }
    }

    fn put(&mut self, tail: u128, remembered: Remembered) -> &Remembered {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.entry(tail).insert_entry(remembered).into_mut()
    }
}

/// Shows how many tokens there are, and none of them.
impl std::fmt::Debug for TokenMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenMemory({} tokens)", self.young.len() + self.old.len())
    }
}

fn tail(token: &str) -> Option<u128> {
    token.as_bytes().last_chunk().map(|tail| u128::from_le_bytes(*tail))
}

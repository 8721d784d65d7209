//! What many threads, or many requests of one thread, share: locks, sharded maps and bounded caches.

mod generations;
mod locks;
mod sharded;

pub(crate) use generations::TwoGenerations;
pub(crate) use locks::{lock, read, write};
pub(crate) use sharded::{ByChance, Sharded};

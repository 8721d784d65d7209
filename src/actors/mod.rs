//! The two actors, each behind a small handle. The only folder that names `actix`.
//!
//! A mailbox does not bound what is sent to it, and an actor that awaits in its own context blocks all its other
//! messages. So both actors only start work, and refuse what exceeds their limits with an error of their own
//! ([`Busy`](crate::store::StoreError::Busy)).

mod db;
mod exchange;
mod wechat;

/// Effectively unbounded: messages are accepted at once and counted by the actor, not by its mailbox.
const MAILBOX: usize = 1 << 20;

pub use db::{Db, DbSettings};
pub use exchange::{Exchange, ExchangeError};
pub use wechat::{REMEMBERED_CODES, WeChat};

//! The two actors, each behind a small handle. The only folder that names `actix`.
//!
//! A mailbox bounds nothing that is sent to it, and an actor that awaits in its own context serves nobody
//! else; so both actors only start work, and refuse in their own words ([`Busy`](crate::store::StoreError::Busy))
//! what is more than they want to hold.

mod db;
mod wechat;

/// Messages that are taken at once and counted by the actor, not by its mailbox.
const MAILBOX: usize = 1 << 20;

pub use db::{Db, DbSettings};
pub use wechat::{Exchange, WeChat};

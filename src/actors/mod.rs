//! The two actors, each behind a small handle. The only folder that names `actix`.
//!
//! A mailbox bounds nothing that is sent to it, and an actor that awaits in its own context serves nobody
//! else; so both actors only start work, and refuse in their own words ([`Busy`](crate::store::StoreError::Busy))
//! what is more than they want to hold.

mod db;
mod wechat;

pub use db::{Db, DbSettings};
pub use wechat::{Exchange, WeChat};

//! WeChat: its client, its wire format, the cryptography of open data and message pushes, and a simulator
//! that serves the same URLs. The only module that names `reqwest`.

mod circuit;
mod client;
mod error;
pub mod open_data;
pub mod push;
pub mod simulator;
mod wire;

pub use circuit::Circuit;
pub use client::{Client, Exchanged};
pub use error::WeChatError;

//! WeChat as it is spoken to: the client, the words on the wire, the crypto of open data and pushes, and a
//! simulator that answers the same URLs. The only folder that names `reqwest`.

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

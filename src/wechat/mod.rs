//! WeChat: what it sends, and a twin of it that answers its URLs.

pub mod open_data;
pub mod push;
pub mod simulator;

//! weauth: WeChat mini-program login.
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;

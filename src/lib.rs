//! weauth: WeChat mini-program login.
pub mod actors;
mod assembly;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod flows;
pub mod http;
pub mod store;
pub mod tokens;
pub mod wechat;
pub use assembly::{Settings, StartError, Weauth};
pub use http::AuthenticatedUser;

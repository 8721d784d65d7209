//! weauth: WeChat mini-program login.
pub mod actors;
pub mod crypto;
pub mod domain;
pub mod flows;
pub mod http;
pub mod store;
pub mod tokens;
pub mod wechat;
pub use http::AuthenticatedUser;

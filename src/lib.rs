//! weauth: WeChat mini-program login.
pub mod crypto;
pub mod domain;
pub mod wechat;

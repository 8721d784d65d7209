//! How WeChat identifies a person: by an openid per mini-program, and a unionid across a company's apps.

use super::text::stored_text;
use super::{AppId, Time};
use secrecy::{ExposeSecret, SecretString};

/// A person within one mini-program. Unique only together with the appid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpenId(String);

/// A person across all apps bound to one WeChat Open Platform account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnionId(String);

macro_rules! wechat_id {
    ($name:ident) => {
        impl $name {
            /// Parses an id from WeChat: 1 to 128 printable ASCII characters.
            pub fn parse(text: &str) -> Option<Self> {
                let well_formed =
                    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
                well_formed.then(|| Self(text.to_owned()))
            }
        }
    };
}
wechat_id!(OpenId);
wechat_id!(UnionId);
stored_text!(OpenId, UnionId);

/// A person as one mini-program knows them, without the session key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The mini-program.
    pub app: AppId,
    /// The person within it.
    pub openid: OpenId,
    /// The person across all apps of the company, if WeChat returned it.
    pub unionid: Option<UnionId>,
    /// First sign-in to this mini-program.
    pub created_at: Time,
}

/// The `session_key` of a user at WeChat: 24 base64 characters. It never leaves the server.
#[derive(Clone)]
pub struct SessionKey(SecretString);

impl SessionKey {
    /// Parses a key from WeChat: 1 to 128 printable ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        well_formed.then(|| Self(SecretString::from(text)))
    }

    /// The key itself, as the base64 text that signatures use.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}

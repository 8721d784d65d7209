//! The API keys of backends: their format, what is stored of them, and their scopes.

use super::text::stored_text;
use crate::crypto::{random_bytes, sha256_hex};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// Prefix by which secret scanners recognise a key that leaked, for example into a repository.
const PREFIX: &str = "weauth_";

/// Number of random bytes in a key.
const RANDOM: usize = 32;

/// Number of characters after the prefix: the random bytes in base64url.
const ENCODED: usize = RANDOM.div_ceil(3) * 4 - 1;

/// Number of characters after the prefix that may be shown; the rest stays unguessable.
const HINT: usize = 4;

/// An API key in clear text: `weauth_` and 256 random bits in base64url. `Debug` does not show it.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Generates a new key.
    pub fn generate() -> Self {
        Self(SecretString::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes::<RANDOM>()))))
    }

    /// Parses text in the format of a key; only its [`hash`](Self::hash) tells whether the key is one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(PREFIX)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (random.len() == ENCODED && random.bytes().all(allowed)).then(|| Self(SecretString::from(text)))
    }

    /// The key itself, for the one time it is shown.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The digest that is stored and compared instead of the key.
    ///
    /// It needs neither salt nor a slow hash, because nobody guesses 256 bits.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(sha256_hex(self.expose().as_bytes()))
    }

    /// The beginning of the key, by which people recognise it.
    pub fn hint(&self) -> String {
        self.expose().chars().take(PREFIX.len() + HINT).collect()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey")
    }
}

/// SHA-256 of an API key, in lowercase hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKeyHash(String);
stored_text!(ApiKeyHash);

/// A text is not a valid name for an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 letters, digits, `.`, `_` or `-`")]
pub struct InvalidApiKeyName;

/// The name of an API key, which is also its `client_id` (RFC 6749 2.2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ApiKeyName(String);

impl ApiKeyName {
    /// Parses a name: 1 to 64 letters, digits, `.`, `_` or `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidApiKeyName> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let well_formed = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidApiKeyName) }
    }
}
stored_text!(ApiKeyName);

/// A permission of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    /// Read users; includes reading statistics and the audit log.
    UsersRead,
    /// Change users.
    UsersWrite,
    /// Read the audit log.
    AuditRead,
    /// Read statistics.
    StatsRead,
    /// Introspect tokens and revoke them.
    TokensIntrospect,
    /// Get WeChat's own access token.
    WechatToken,
}

impl ApiScope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::AuditRead,
        Self::StatsRead,
        Self::TokensIntrospect,
        Self::WechatToken,
    ];

    /// The scope's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::AuditRead => "audit:read",
            Self::StatsRead => "stats:read",
            Self::TokensIntrospect => "tokens:introspect",
            Self::WechatToken => "wechat:token",
        }
    }

    /// Parses a scope's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Does a key with this scope have the permission `asked`?
    pub fn opens(self, asked: Self) -> bool {
        let reads = self == Self::UsersRead && matches!(asked, Self::AuditRead | Self::StatsRead);
        self == asked || reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_and_shows_only_how_it_begins() {
        let key = ApiKey::generate();
        assert_eq!(key.expose().len(), 50);
        assert_eq!(ApiKey::parse(key.expose()).unwrap().hash(), key.hash());
        assert_ne!(ApiKey::generate().hash(), key.hash());
        assert!(key.expose().starts_with(&key.hint()) && key.hint().len() == 11);
        assert!(!key.hash().as_str().contains(key.expose()));
        assert_eq!(format!("{key:?}"), "ApiKey");
        for wrong in ["", "weauth_", &key.expose()[1..], &format!("{}A", key.expose()), "weauth_日"] {
            assert!(ApiKey::parse(wrong).is_none(), "{wrong}");
        }
        assert!(ApiKey::parse(&key.expose().replace("weauth_", "weauth-")).is_none());
    }

    #[test]
    fn names_are_bounded() {
        for right in ["shop", "A.b_c-9", &"x".repeat(64)] {
            assert_eq!(ApiKeyName::parse(right).unwrap().as_str(), right);
        }
        for wrong in ["", "a b", "a:b", "日", "a\n", &"x".repeat(65)] {
            assert!(ApiKeyName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reading_users_opens_statistics_and_audit_and_nothing_else_opens_another() {
        for held in ApiScope::ALL {
            assert_eq!(ApiScope::parse(held.as_str()), Some(held));
            for asked in ApiScope::ALL {
                let expected = held == asked
                    || (held.as_str() == "users:read"
                        && ["audit:read", "stats:read"].contains(&asked.as_str()));
                assert_eq!(held.opens(asked), expected, "{held:?} {asked:?}");
            }
        }
        assert_eq!(ApiScope::parse("users:*"), None);
    }
}

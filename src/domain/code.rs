//! The single-use code of `wx.login`, and the `Idempotency-Key` by which a client marks a retry.

use super::AppId;
use crate::crypto::{sha256_half, sha256_hex};
use secrecy::{ExposeSecret, SecretString};

/// Longest accepted code, in characters (WeChat's have 32 today).
pub const MAX_CODE: usize = 512;

/// What the WeChat DevTools return for a project without an appid.
const MOCK_CODE: &str = "the code is a mock one";

/// Why a text can't be a code of `wx.login`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// The text is empty.
    #[error("is empty: send the code that wx.login gave")]
    Empty,
    /// The text is longer than [`MAX_CODE`].
    #[error("is longer than 512 characters")]
    TooLong,
    /// The text contains a character that no code contains.
    #[error("holds characters that no code of wx.login holds")]
    Characters,
    /// The DevTools' placeholder.
    #[error("is the mock code of devtools without an appid: set your appid in project.config.json")]
    Mock,
}

/// A code of `wx.login`: single-use, valid for five minutes.
///
/// `Debug` does not show it.
#[derive(Clone)]
pub struct LoginCode(SecretString);

impl LoginCode {
    /// Parses a code: 1 to 512 printable ASCII characters without spaces.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        match text {
            "" => Err(InvalidCode::Empty),
            MOCK_CODE => Err(InvalidCode::Mock),
            _ if text.chars().count() > MAX_CODE => Err(InvalidCode::TooLong),
            _ if !text.bytes().all(|b| b.is_ascii_graphic()) => Err(InvalidCode::Characters),
            _ => Ok(Self(SecretString::from(text))),
        }
    }

    /// The code itself, for the request that carries it to WeChat.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The digest that is stored and compared instead of the code.
    pub fn hash(&self) -> CodeHash {
        CodeHash(sha256_half(self.expose().as_bytes()))
    }
}

impl std::fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginCode")
    }
}

/// The first 128 bits of a code's SHA-256: half a digest distinguishes codes just as well, and takes half the space
/// in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodeHash(u128);

impl CodeHash {
    /// Reads the stored form; `None` if it is none.
    pub fn from_stored(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

/// The stored form: 32 lowercase hexadecimal digits.
impl std::fmt::Display for CodeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A code of a mini-program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeKey {
    /// The mini-program.
    pub app: AppId,
    /// The code.
    pub code: CodeHash,
}

/// The client's `Idempotency-Key`: 1 to 255 visible ASCII characters. Only its digest is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses the header's value; `None` if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        well_formed.then(|| Self(sha256_hex(text.as_bytes())))
    }

    /// SHA-256 of the key, in lowercase hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_bounded_and_the_mock_code_is_recognised() {
        assert!(LoginCode::parse("0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P").is_ok());
        assert!(LoginCode::parse(&"x".repeat(512)).is_ok());
        assert_eq!(LoginCode::parse(&"x".repeat(513)).unwrap_err(), InvalidCode::TooLong);
        assert_eq!(LoginCode::parse("").unwrap_err(), InvalidCode::Empty);
        assert_eq!(LoginCode::parse("a b").unwrap_err(), InvalidCode::Characters);
        assert_eq!(LoginCode::parse("the code is a mock one").unwrap_err(), InvalidCode::Mock);
    }

    #[test]
    fn a_stored_code_is_half_of_its_digest() {
        for text in ["0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P", "code-102"] {
            let hash = LoginCode::parse(text).unwrap().hash();
            assert_eq!(hash.to_string(), sha256_hex(text.as_bytes())[..32]);
            assert_eq!(CodeHash::from_stored(&hash.to_string()), Some(hash));
        }
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        assert!(IdempotencyKey::parse("retry-1").is_some());
        assert!(IdempotencyKey::parse("").is_none());
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_none());
        assert!(IdempotencyKey::parse("日").is_none());
        assert!(IdempotencyKey::parse("a b").is_none());
    }
}

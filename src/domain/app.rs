//! A mini-program: its appid, its AppSecret and its display name.

use super::text::stored_text;
use secrecy::{ExposeSecret, SecretString};

/// Why a text is not an appid or an AppSecret; says what is expected and never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApp {
    /// Not `wx` and 16 lowercase hexadecimal digits.
    #[error("an appid is `wx` followed by 16 lowercase hexadecimal digits")]
    AppId,
    /// Not 32 hexadecimal digits.
    #[error("an AppSecret is 32 hexadecimal digits, as shown once in the WeChat console")]
    Secret,
    /// 32 hexadecimal digits that WeChat never issues: all alike, or counting up.
    #[error("this AppSecret is an example, not a real one")]
    TrivialSecret,
}

/// The id of a mini-program: `wx` and 16 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct AppId(std::sync::Arc<str>);

impl AppId {
    /// Parses an appid strictly.
    pub fn parse(text: &str) -> Result<Self, InvalidApp> {
        let digits = text.strip_prefix("wx").ok_or(InvalidApp::AppId)?;
        let well_formed =
            digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.into())) } else { Err(InvalidApp::AppId) }
    }
}
stored_text!(AppId);

/// The AppSecret that WeChat issued for an appid. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct AppSecret(SecretString);

impl AppSecret {
    /// Parses a secret: 32 hexadecimal digits that are not an obvious example.
    pub fn parse(text: &str) -> Result<Self, InvalidApp> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidApp::Secret);
        }
        if is_trivial(text.as_bytes()) {
            return Err(InvalidApp::TrivialSecret);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The secret itself, for the request that carries it to WeChat.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Is the secret a short repeated piece (`0000…`, `abcdabcd…`), or digits that count up?
fn is_trivial(secret: &[u8]) -> bool {
    let repeats = |period: usize| secret.iter().zip(&secret[period..]).all(|(a, b)| a == b);
    let lower: Vec<u8> = secret.to_ascii_lowercase();
    let counts_up = lower.windows(2).all(|pair| match pair {
        [b'9', next] => matches!(next, b'a' | b'0'),
        [b'f', next] => *next == b'0',
        [a, b] => *b == a + 1,
        _ => false,
    });
    [1, 2, 4].into_iter().any(repeats) || counts_up
}

/// A mini-program that this server serves.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its secret.
    pub secret: AppSecret,
    /// Its name for operators; the appid where none was configured.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appid_is_wx_and_sixteen_lowercase_hex_digits() {
        assert!(AppId::parse("wx0123456789abcdef").is_ok());
        for wrong in
            ["", "wx", "wx0123456789abcde", "wx0123456789abcdeF", "wy0123456789abcdef", "wx0123456789abcdef0"]
        {
            assert_eq!(AppId::parse(wrong), Err(InvalidApp::AppId), "{wrong}");
        }
    }

    #[test]
    fn example_secrets_are_refused() {
        for trivial in [
            "00000000000000000000000000000000",
            "abababababababababababababababab",
            "0123456789abcdef0123456789abcdef",
            "12345678901234567890123456789012",
        ] {
            assert_eq!(AppSecret::parse(trivial).unwrap_err(), InvalidApp::TrivialSecret, "{trivial}");
        }
        assert!(AppSecret::parse("9f86d081884c7d659a2feaa0c55ad015").is_ok());
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let secret = AppSecret::parse("9f86d081884c7d659a2feaa0c55ad015").unwrap();
        assert!(!format!("{secret:?}").contains("9f86"));
    }
}

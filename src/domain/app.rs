//! A mini-program: its appid, its AppSecret and its display name.

use super::text::stored_text;
use secrecy::{ExposeSecret, SecretString};

/// The AppSecrets that the README shows.
const SHOWN: [&str; 2] = ["8f1d64c2b97e03a5d6c8417f92be30da", "3e7a90c4d85b162f04a9e3c7d6b81f25"];

/// Why a text is not an appid or an AppSecret; says what is expected and never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApp {
    /// Not `wx` and 16 lowercase hexadecimal digits.
    #[error("an appid is `wx` followed by 16 lowercase hexadecimal digits")]
    AppId,
    /// Not 32 hexadecimal digits.
    #[error("an AppSecret is 32 hexadecimal digits, as shown once in the WeChat console")]
    Secret,
    /// 32 hexadecimal digits that WeChat never issued: a pattern, or an example of the README.
    #[error(
        "this AppSecret is an example: copy your own from mp.weixin.qq.com (for `weauth simulate`, make one with \
         `openssl rand -hex 16`)"
    )]
    ExampleSecret,
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
    /// Parses a secret that WeChat may have issued: 32 hexadecimal digits that are no example.
    pub fn parse(text: &str) -> Result<Self, InvalidApp> {
        let secret = Self::parse_simulated(text)?;
        let digits = text.to_ascii_lowercase();
        let is_example = SHOWN.contains(&digits.as_str()) || is_trivial(digits.as_bytes());
        if is_example { Err(InvalidApp::ExampleSecret) } else { Ok(secret) }
    }

    /// Parses a secret for the simulator, where an example does no harm.
    pub(crate) fn parse_simulated(text: &str) -> Result<Self, InvalidApp> {
        let well_formed = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if well_formed { Ok(Self(SecretString::from(text))) } else { Err(InvalidApp::Secret) }
    }

    /// The secret itself, for the request that carries it to WeChat.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Is the secret a short repeated piece (`0000…`, `abcdabcd…`), digits that count up, or three digits at most?
fn is_trivial(secret: &[u8]) -> bool {
    let repeats = |period: usize| secret.iter().zip(&secret[period..]).all(|(a, b)| a == b);
    let counts_up = secret.windows(2).all(|pair| match pair {
        [b'9', next] => matches!(next, b'a' | b'0'),
        [b'f', next] => *next == b'0',
        [a, b] => *b == a + 1,
        _ => false,
    });
    let different: std::collections::BTreeSet<&u8> = secret.iter().collect();
    [1, 2, 4].into_iter().any(repeats) || counts_up || different.len() <= 3
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

/// The appid, and the name if there is one.
impl std::fmt::Display for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, name, .. } = self;
        if id.as_str() == name { write!(f, "{id}") } else { write!(f, "{id} ({name})") }
    }
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
    fn example_secrets_are_refused_except_in_the_simulator() {
        for example in [
            "8f1d64c2b97e03a5d6c8417f92be30da",
            "8F1D64C2B97E03A5D6C8417F92BE30DA",
            "00000000000000000000000000000000",
            "abababababababababababababababab",
            "0123456789abcdef0123456789abcdef",
            "12345678901234567890123456789012",
            "00000000000000000000000000000001",
        ] {
            assert_eq!(AppSecret::parse(example).unwrap_err(), InvalidApp::ExampleSecret, "{example}");
            assert!(AppSecret::parse_simulated(example).is_ok());
        }
        assert!(AppSecret::parse("9f86d081884c7d659a2feaa0c55ad015").is_ok());
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let secret = AppSecret::parse("9f86d081884c7d659a2feaa0c55ad015").unwrap();
        assert!(!format!("{secret:?}").contains("9f86"));
    }
}

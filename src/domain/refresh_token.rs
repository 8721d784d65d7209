//! The refresh token: `user id . session id . generation . MAC`.
//!
//! The token is not stored. The MAC, under a key that only the server has, proves that we issued it, so a
//! forged token is rejected without a database access. As the MAC can be recomputed, all concurrent callers
//! of one refresh (or of one code) get the same new token.

use super::{Generation, SessionId, UserId};
use crate::crypto::MacKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// A refresh token that we issued or verified. `Debug` does not show it.
pub struct RefreshToken {
    /// The user of the session.
    pub user: UserId,
    /// The session it continues.
    pub session: SessionId,
    /// The token's number within the session.
    pub generation: Generation,
    text: SecretString,
}

impl RefreshToken {
    /// The token as it is handed to the client.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefreshToken({}, {})", self.session, self.generation)
    }
}

/// Issues and verifies refresh tokens.
#[derive(Debug, Clone)]
pub struct RefreshTokenMac(MacKey);

impl RefreshTokenMac {
    /// Uses this key.
    pub fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// The refresh token of a session in a generation.
    pub fn issue(&self, user: &UserId, session: &SessionId, generation: Generation) -> RefreshToken {
        let subject = format!("{user}.{session}.{generation}");
        let mac = URL_SAFE_NO_PAD.encode(self.0.sign(subject.as_bytes()));
        let text = SecretString::from(format!("{subject}.{mac}"));
        RefreshToken { user: user.clone(), session: session.clone(), generation, text }
    }

    /// Parses and verifies a token; `None` unless we issued it. Compares in constant time.
    pub fn verify(&self, text: &str) -> Option<RefreshToken> {
        let (subject, mac) = text.rsplit_once('.')?;
        let (user, rest) = subject.split_once('.')?;
        let (session, generation) = rest.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        if !self.0.verify(subject.as_bytes(), &mac) {
            return None;
        }
        Some(RefreshToken {
            user: UserId::from_stored(user.to_owned()),
            session: SessionId::from_stored(session.to_owned()),
            generation: generation.parse().ok()?,
            text: SecretString::from(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    fn someone() -> (UserId, SessionId) {
        let at = Time::from_unix(1_800_000_000);
        (UserId::generate(at), SessionId::generate(at))
    }

    #[test]
    fn only_our_own_tokens_are_recognised() {
        let mac = RefreshTokenMac::new(MacKey::generate());
        let (user, session) = someone();
        let token = mac.issue(&user, &session, 3);
        let read = mac.verify(token.expose()).unwrap();
        assert_eq!((&read.user, &read.session, read.generation), (&token.user, &token.session, 3));

        let other = RefreshTokenMac::new(MacKey::generate());
        assert!(other.verify(token.expose()).is_none());
        let raised = token.expose().replacen(".3.", ".4.", 1);
        let cut = token.expose().rsplit_once('.').unwrap().0;
        for forged in [raised.as_str(), "", ".", "..", "a.b.c", cut, &token.expose()[1..]] {
            assert!(mac.verify(forged).is_none());
        }
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn the_same_generation_gives_the_same_token() {
        let mac = RefreshTokenMac::new(MacKey::generate());
        let (user, session) = someone();
        assert_eq!(mac.issue(&user, &session, 1).expose(), mac.issue(&user, &session, 1).expose());
        assert_ne!(mac.issue(&user, &session, 1).expose(), mac.issue(&user, &session, 2).expose());
    }
}

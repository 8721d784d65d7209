//! The users of the simulated WeChat: created on first mention, and the same after every restart.

use crate::crypto::MacKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The virtual accounts of the DevTools have the numbers 12066600001 to 12066600024, which receive no messages.
const VIRTUAL_NUMBERS: u64 = 24;

/// A user's openid in an app: `o` and 27 URL-safe characters.
pub(super) fn openid(appid: &str, user: &str) -> String {
    identifier(b"openid", &[appid, user])
}

/// A user's unionid across all apps: `o` and 27 URL-safe characters.
pub(super) fn unionid(user: &str) -> String {
    identifier(b"unionid", &[user])
}

/// Is this a valid name for a simulated user? 1 to 64 letters, digits, `-` and `_`.
pub(super) fn is_user_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn identifier(namespace: &[u8], parts: &[&str]) -> String {
    let digest = digest(namespace, parts);
    let mut text = String::with_capacity(48);
    text.push('o');
    URL_SAFE_NO_PAD.encode_string(digest, &mut text);
    text.truncate(28);
    text
}

fn digest(namespace: &[u8], parts: &[&str]) -> [u8; 32] {
    let code = MacKey::from_bytes(namespace).sign(parts.join("\n").as_bytes());
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(code.as_ref()) {
        *to = *from;
    }
    digest
}

/// What WeChat knows about a user besides the ids.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Profile {
    /// The number without the country code.
    pub(super) phone: String,
    /// `countryCode` in the response: a string as documented, or a number as also observed.
    pub(super) country_code: Value,
    /// Does WeChat know a unionid for this user (if the app's switch is on)?
    pub(super) unionid: bool,
    /// High-risk users get 40226.
    pub(super) blocked: bool,
}

impl Profile {
    /// The initial profile of a user.
    pub(super) fn of(user: &str) -> Self {
        let number = u64::from(digest(b"phone", &[user])[0]) % VIRTUAL_NUMBERS + 1;
        Self {
            phone: format!("120666{number:05}"),
            country_code: Value::from("86"),
            unionid: true,
            blocked: false,
        }
    }
}

/// The changes to a profile that a request to the control API asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChange {
    phone: Option<String>,
    country_code: Option<Value>,
    unionid: Option<bool>,
    blocked: Option<bool>,
}

impl ProfileChange {
    /// Is the country code, if given, a string or a number?
    pub(super) fn is_sound(&self) -> bool {
        self.country_code.as_ref().is_none_or(|code| code.is_string() || code.is_u64())
    }

    /// Applies the given changes.
    pub(super) fn apply(self, profile: &mut Profile) {
        if let Some(phone) = self.phone {
            profile.phone = phone;
        }
        if let Some(country_code) = self.country_code {
            profile.country_code = country_code;
        }
        profile.unionid = self.unionid.unwrap_or(profile.unionid);
        profile.blocked = self.blocked.unwrap_or(profile.blocked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ_by_app_and_user() {
        let alice = openid("wx0123456789abcdef", "alice");
        assert_eq!((alice.len(), &alice[..1]), (28, "o"));
        assert_eq!(alice, openid("wx0123456789abcdef", "alice"));
        assert_ne!(alice, openid("wx0123456789abcdef", "bob"));
        assert_ne!(alice, openid("wx0123456789abcde0", "alice"));
        assert_eq!(unionid("alice").len(), 28);
        assert_ne!(unionid("alice"), unionid("bob"));
    }

    #[test]
    fn an_untouched_user_has_a_virtual_number() {
        for user in ["alice", "bob", "carol"] {
            let number: u64 = Profile::of(user).phone.parse().unwrap();
            assert!((12_066_600_001..=12_066_600_024).contains(&number));
        }
    }
}

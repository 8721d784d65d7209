//! A user of this server: one person, with one or more WeChat identities.

use super::{Role, Time};

super::text::text_id! {
    /// The id of a user (`sub` in an access token).
    UserId
}

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// Banned by an operator.
    Banned,
}

impl UserStatus {
    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Banned => "banned",
        }
    }

    /// Parses a status from user input.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Banned].into_iter().find(|status| status.as_str() == text)
    }

    /// Parses the stored text; an unknown status counts as banned.
    pub fn from_stored(text: &str) -> Self {
        if text == "active" { Self::Active } else { Self::Banned }
    }
}

/// A user as stored.
#[derive(Debug, Clone)]
pub struct User {
    /// Our id.
    pub id: UserId,
    /// May they sign in?
    pub status: UserStatus,
    /// The roles granted by operators.
    pub roles: Vec<Role>,
    /// What the user calls themself.
    pub nickname: Option<String>,
    /// `https` address of a picture.
    pub avatar_url: Option<String>,
    /// The bound phone number in E.164 (`+8613800000000`).
    pub phone: Option<String>,
    /// Is a unionid known for any identity?
    pub unionid_linked: bool,
    /// First sign-in.
    pub created_at: Time,
    /// Latest sign-in.
    pub last_login_at: Time,
}

/// Masks a phone number: the first 3 and the last 2 digits remain, `138******00`.
///
/// WeChat's security guide asks for this; a Chinese number is shown without its country code.
pub fn mask_phone(e164: &str) -> String {
    let digits = e164.strip_prefix("+86").unwrap_or(e164).trim_start_matches('+');
    let count = digits.chars().count();
    if count < 6 {
        return "*".repeat(count);
    }
    digits.chars().enumerate().map(|(i, c)| if i < 3 || i + 2 >= count { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_shows_its_first_three_and_last_two_digits() {
        assert_eq!(mask_phone("+8613812345600"), "138******00");
        assert_eq!(mask_phone("+15551234567"), "155******67");
        assert_eq!(mask_phone("12345"), "*****");
    }
}

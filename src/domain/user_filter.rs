//! The filter, order and pagination of the list of users.

use super::{AppId, Role, Time, UserId, UserStatus};
use crate::crypto::sha256_hex;
use serde::Serialize;

/// Longest search text, in characters; no searchable value is longer.
pub const MAX_SEARCH: usize = 128;

/// The conditions that a listed user meets, all of them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UserFilter {
    /// Matches this text.
    pub search: Option<UserSearch>,
    /// Has this status.
    pub status: Option<UserStatus>,
    /// Has been granted this role.
    pub role: Option<Role>,
    /// Has signed in to this mini-program.
    pub app: Option<AppId>,
    /// First signed in at this time or later.
    pub created_after: Option<Time>,
    /// First signed in before this time.
    pub created_before: Option<Time>,
    /// Last signed in at this time or later.
    pub login_after: Option<Time>,
    /// Last signed in before this time.
    pub login_before: Option<Time>,
}

/// A search text: a prefix of the user's id, an openid, a unionid or the nickname, or the whole phone number
/// with or without +86. Case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UserSearch(String);

impl UserSearch {
    /// Parses a text of 1 to [`MAX_SEARCH`] characters without control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let well_formed =
            (1..=MAX_SEARCH).contains(&text.chars().count()) && !text.contains(char::is_control);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The text as a prefix.
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// The phone numbers in E.164 that the text may mean; none if it is not a number. Spaces and hyphens
    /// between digits are ignored.
    pub fn phones(&self) -> Vec<String> {
        let digits: String = self.0.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let number = digits.strip_prefix('+').unwrap_or(&digits);
        if !(5..=15).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Vec::new();
        }
        let whole = format!("+{number}");
        if digits.starts_with('+') { vec![whole] } else { vec![format!("+86{number}"), whole] }
    }
}

/// The sort key of a list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSort {
    /// First sign-in.
    #[default]
    CreatedAt,
    /// Latest sign-in as stored in the user table, which lags by a second or two.
    LastLoginAt,
}

/// The order of a list of users; equal times are ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UserOrder {
    /// The sort key.
    pub sort: UserSort,
    /// Latest first?
    pub descending: bool,
}

impl Default for UserOrder {
    fn default() -> Self {
        Self { sort: UserSort::default(), descending: true }
    }
}

/// The position of a user in a list; the next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    /// The user's value of the sort key.
    pub at: Time,
    /// The user's id.
    pub id: UserId,
}

/// A text is not a cursor of the requested list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list: give `next_cursor` as it was, with the same filter and order")]
pub struct InvalidCursor;

impl UserCursor {
    /// Encodes the cursor, valid for this filter and order only.
    pub fn encode(&self, filter: &UserFilter, order: UserOrder) -> String {
        let place = format!("{}.{}", self.at.unix_micros(), self.id);
        let digest = digest(&place, filter, order);
        format!("{place}.{digest}")
    }

    /// Decodes a cursor that [`encode`](Self::encode) made for the same filter and order.
    pub fn decode(text: &str, filter: &UserFilter, order: UserOrder) -> Result<Self, InvalidCursor> {
        let (place, given) = text.rsplit_once('.').ok_or(InvalidCursor)?;
        if digest(place, filter, order) != given {
            return Err(InvalidCursor);
        }
        let (micros, id) = place.split_once('.').ok_or(InvalidCursor)?;
        let micros = micros.parse().map_err(|_| InvalidCursor)?;
        let at = Time::from_unix_micros(micros).ok_or(InvalidCursor)?;
        Ok(Self { at, id: UserId::from_stored(id.to_owned()) })
    }
}

/// Detects an altered cursor, or one of another query. It needs no key: a cursor holds no secret.
fn digest(place: &str, filter: &UserFilter, order: UserOrder) -> String {
    let question = serde_json::to_string(&(place, filter, order)).unwrap_or_default();
    sha256_hex(question.as_bytes()).chars().take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_found_with_or_without_its_country_code() {
        let phones = |text| UserSearch::parse(text).unwrap().phones();
        assert!(phones("13800000000").contains(&"+8613800000000".to_owned()));
        assert_eq!(phones("+8613800000000"), ["+8613800000000"]);
        assert!(phones("8613800000000").contains(&"+8613800000000".to_owned()));
        assert_eq!(phones("+86 138-0000-0000"), ["+8613800000000"]);
        assert_eq!(phones("+15551234567"), ["+15551234567"]);
        for no_number in ["小明", "oAbc", "1380000000a", "+", "1234", "1234567890123456"] {
            assert_eq!(phones(no_number), Vec::<String>::new(), "{no_number}");
        }
        assert!(UserSearch::parse(" ").is_none() && UserSearch::parse("a\nb").is_none());
        assert!(UserSearch::parse(&"明".repeat(MAX_SEARCH)).is_some());
        assert!(UserSearch::parse(&"x".repeat(MAX_SEARCH + 1)).is_none());
    }

    #[test]
    fn a_cursor_is_good_as_it_was_given_and_for_its_own_question() {
        let filter = UserFilter { status: Some(UserStatus::Banned), ..UserFilter::default() };
        let order = UserOrder::default();
        let at = Time::from_unix(1_800_000_000);
        let cursor = UserCursor { at, id: UserId::generate(at) };
        let text = cursor.encode(&filter, order);
        assert_eq!(UserCursor::decode(&text, &filter, order), Ok(cursor));
        let other = UserFilter { status: Some(UserStatus::Active), ..UserFilter::default() };
        assert_eq!(UserCursor::decode(&text, &other, order), Err(InvalidCursor));
        let turned = UserOrder { descending: false, ..order };
        assert_eq!(UserCursor::decode(&text, &filter, turned), Err(InvalidCursor));
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(UserCursor::decode(&altered, &filter, order), Err(InvalidCursor), "{altered}");
        }
        for wrong in ["", ".", "..", "x", "1.2"] {
            assert_eq!(UserCursor::decode(wrong, &filter, order), Err(InvalidCursor), "{wrong}");
        }
    }
}

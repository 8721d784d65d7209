//! The life cycle of a signing key: published, signing, verifying until the last token it signed has expired,
//! then destroyed.

use super::Time;

/// Seconds for which a new key is published before it signs: 5 until every node has loaded it, 30 for which a
/// verifier may cache the JWKS, and 10 in reserve.
pub const PUBLISHED_BEFORE_SIGNING: i64 = 45;

/// Seconds for which a key is kept after the last token it signed has expired, because a node may have learnt
/// late of its successor.
pub const KEPT_AFTER_LAST_TOKEN: i64 = 60;

/// The state of a signing key at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published; will sign.
    Next,
    /// Signs and verifies.
    Signs,
    /// Verifies the tokens it signed before.
    Verifies,
    /// Destroyed; the tokens it signed are rejected.
    Retired,
}

impl KeyState {
    /// The state in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signs => "signs",
            Self::Verifies => "verifies",
            Self::Retired => "retired",
        }
    }

    /// The state of the key at index `place`, given the activation times of all keys in ascending order.
    pub fn of(place: usize, active_from: &[Time], now: Time) -> Self {
        match place.cmp(&signing_place(active_from, now)) {
            std::cmp::Ordering::Less => Self::Verifies,
            std::cmp::Ordering::Equal => Self::Signs,
            std::cmp::Ordering::Greater => Self::Next,
        }
    }
}

/// The index of the key that signs now, given the activation times of all keys in ascending order: the last active
/// one. If none is active, because this clock is behind, the first signs: better too early than not at all.
pub fn signing_place(active_from: &[Time], now: Time) -> usize {
    active_from.partition_point(|from| *from <= now).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_active_key_signs_and_the_first_where_none_is_active() {
        let keys = [100, 200, 300].map(Time::from_unix);
        for (now, place) in [(0, 0), (99, 0), (100, 0), (199, 0), (200, 1), (299, 1), (300, 2), (9999, 2)] {
            assert_eq!(signing_place(&keys, Time::from_unix(now)), place, "at {now}");
        }
        let at = |place| KeyState::of(place, &keys, Time::from_unix(250));
        assert_eq!([at(0), at(1), at(2)], [KeyState::Verifies, KeyState::Signs, KeyState::Next]);
    }
}

//! The life of a signing key: it is published, it signs, it verifies until the last token it signed has ended,
//! it goes.

use super::Time;

/// How long a new key is published before it signs, in seconds: five until every node has read it, thirty for
/// which a verifier may keep the JWKS, and ten to spare.
pub const PUBLISHED_BEFORE_SIGNING: i64 = 45;

/// How long a key is kept when the last token it signed has ended, in seconds: a node may have heard late of its
/// successor.
pub const KEPT_AFTER_LAST_TOKEN: i64 = 60;

/// What a signing key does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published; it will sign.
    Next,
    /// Signs, and verifies.
    Signs,
    /// Verifies what it signed before.
    Verifies,
    /// Destroyed: what it signed is refused.
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

    /// What the key at this place does, of keys that become active in this order.
    pub fn of(place: usize, active_from: &[Time], now: Time) -> Self {
        match place.cmp(&signing_place(active_from, now)) {
            std::cmp::Ordering::Less => Self::Verifies,
            std::cmp::Ordering::Equal => Self::Signs,
            std::cmp::Ordering::Greater => Self::Next,
        }
    }
}

/// Which of the keys that become active in this order signs now: the last that is active. Where none is, because
/// this clock is behind, the first signs: better early than nobody.
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

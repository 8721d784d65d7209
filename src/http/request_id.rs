//! Every answer and every log line of a request carries one id.

use actix_web::http::header::HeaderMap;
use std::cell::Cell;
use std::fmt::Write;

/// The header, in and out.
pub(super) const HEADER: &str = "x-request-id";

/// The id of a request: the caller's, where it is well-formed, else one of ours.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl RequestId {
    /// Keeps the caller's id where it is 8–128 of letters, digits, `.`, `_`, `-`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_well_formed(id));
        given.map_or_else(Self::generate, |id| Self(id.to_owned()))
    }

    fn generate() -> Self {
        thread_local! {
            static PREFIX: u64 = u64::from_ne_bytes(crate::crypto::random_bytes());
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }
        let count = COUNT.get();
        COUNT.set(count + 1);
        let mut id = String::with_capacity(28);
        // Writing into a string never fails.
        let _infallible = write!(id, "{:016x}-{count:08x}", PREFIX.with(|prefix| *prefix));
        Self(id)
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_well_formed(id: &str) -> bool {
    (8..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_are_kept() {
        assert!(is_well_formed("abc-DEF_1.2"));
        for wrong in ["", "short", "has space in it", "new\nline-here", &"x".repeat(129)] {
            assert!(!is_well_formed(wrong));
        }
        assert!(is_well_formed(RequestId::generate().as_str()));
        assert_ne!(RequestId::generate().as_str(), RequestId::generate().as_str());
    }
}

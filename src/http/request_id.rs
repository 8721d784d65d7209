//! Every answer and every log line of a request carries one id.

use actix_web::http::header::{HeaderMap, HeaderValue};
use std::cell::Cell;
use std::fmt::Write;

/// The header, in and out.
pub(super) const HEADER: &str = "x-request-id";

/// The id of a request: the caller's, where it is well-formed, else one of ours.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// Keeps the caller's id where it is 8–128 of letters, digits, `.`, `_`, `-`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).filter(|value| is_well_formed(value.as_bytes()));
        given.map_or_else(Self::generate, |id| Self(id.clone()))
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
        // Hexadecimal digits and a dash are always a header's value.
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unnamed-request")))
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the header that every answer carries.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    (8..=128).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_are_kept() {
        assert!(is_well_formed(b"abc-DEF_1.2"));
        for wrong in ["", "short", "has space in it", "new\nline-here", &"x".repeat(129)] {
            assert!(!is_well_formed(wrong.as_bytes()));
        }
        assert!(is_well_formed(RequestId::generate().as_str().as_bytes()));
        assert_ne!(RequestId::generate().as_str(), RequestId::generate().as_str());
    }
}

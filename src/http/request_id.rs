//! The request id, carried by every response and every log line of a request.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::cell::Cell;

/// The header, in requests and responses.
pub(super) static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request.
#[derive(Debug, Clone)]
pub(super) enum RequestId {
    /// The caller's id, if it is well-formed.
    Given(HeaderValue),
    /// An id that we generated.
    Made([u8; 29]),
}

impl RequestId {
    /// Keeps the caller's id if it is 8–128 letters, digits, `.`, `_` or `-`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(&HEADER).filter(|value| is_well_formed(value.as_bytes()));
        given.map_or_else(Self::make, |id| Self::Given(id.clone()))
    }

    fn make() -> Self {
        thread_local! {
            static PREFIX: u64 = u64::from_ne_bytes(crate::crypto::random_bytes());
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }
        let count = COUNT.get();
        COUNT.set(count + 1);
        let mut id = *b"0000000000000000-000000000000";
        put_hex(&mut id[..16], PREFIX.with(|prefix| *prefix));
        put_hex(&mut id[17..], count);
        Self::Made(id)
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        let bytes = match self {
            Self::Given(id) => id.as_bytes(),
            Self::Made(id) => id,
        };
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The id as the header of every response.
    pub(super) fn header(&self) -> HeaderValue {
        match self {
            Self::Given(id) => id.clone(),
            // Hexadecimal digits and a dash are always a valid header value.
            Self::Made(id) => {
                HeaderValue::from_bytes(id).unwrap_or(HeaderValue::from_static("unnamed-request"))
            }
        }
    }
}

/// Fills `place` with a number's last digits, in hexadecimal.
fn put_hex(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
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
        assert!(is_well_formed(RequestId::make().as_str().as_bytes()));
        assert_ne!(RequestId::make().as_str(), RequestId::make().as_str());
        let mut id = *b"0000";
        put_hex(&mut id, 0x1_2a_bc);
        assert_eq!(&id, b"2abc");
    }
}

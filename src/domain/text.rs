//! What the types that wrap a text have in common, and ids.

use super::Time;
use crate::crypto::random_bytes;

/// Gives such a type its stored form, and its text.
macro_rules! stored_text {
    ($($name:ident),+) => {
        $(
            impl $name {
                /// Wraps a text that was stored or signed, without validating it.
                pub fn from_stored(text: impl Into<String>) -> Self {
                    Self(text.into().into())
                }

                /// The text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )+
    };
}
pub(super) use stored_text;

/// Defines an opaque text id.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Generates an id; those of later times sort after it.
            pub(crate) fn generate(at: $crate::domain::Time) -> Self {
                Self($crate::domain::id_at(at))
            }
        }

        $crate::domain::text::stored_text!($name);
    };
}
pub(super) use text_id;

/// An id that nobody can guess: a UUIDv7 with the microseconds of this time (RFC 9562, 6.2, method 3). So ids sort as
/// their times do, on whichever node they are made, and new keys arrive in an index in nearly ascending order.
pub fn id_at(at: Time) -> String {
    let micros = at.unix_micros().max(0).unsigned_abs();
    let mut rest = random_bytes::<10>();
    let fraction = (micros % 1000 * 4096 / 1000) as u16;
    rest[..2].copy_from_slice(&fraction.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(micros / 1000, &rest).into_uuid().simple().to_string()
}

/// The lowest id of a time. Ids begin with their time in milliseconds (RFC 9562, 5.7).
pub fn first_id_at(time: Time) -> String {
    format!("{:012x}", time.unix_micros().max(0) / 1000)
}

/// The time with which an id begins, to the millisecond; `None` if it is no id.
pub fn time_of_id(id: &str) -> Option<Time> {
    let millis = i64::from_str_radix(id.get(..12)?, 16).ok()?;
    Time::from_unix_micros(millis.checked_mul(1000)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_times() {
        let begin = Time::from_unix(1_800_000_000);
        let time = |micros: u64| begin.plus(std::time::Duration::from_micros(micros));
        let ids: Vec<String> = (0..3000).map(|micros| id_at(time(micros))).collect();
        assert!(ids.is_sorted());
        assert!(
            (0..3).all(|milli| (milli * 1000..3000).all(|i| first_id_at(time(milli as u64 * 1000)) < ids[i]))
        );
        assert!((0..3000).all(|i| ids[i] < first_id_at(time(3000))));
        assert_eq!(
            [0, 1999, 2999].map(|i| time_of_id(&ids[i])),
            [0, 1000, 2000].map(|micros| Some(time(micros)))
        );
        assert_eq!(time_of_id("no id"), None);
        let id = uuid::Uuid::parse_str(&ids[0]).unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        assert_ne!(id_at(begin), id_at(begin));
    }
}

//! What the types that wrap a text have in common.

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

/// Defines an opaque text id: a UUIDv7, so that new keys arrive in an index in nearly ascending order.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Generates a new id; later ids sort after earlier ones.
            pub(crate) fn generate() -> Self {
                Self(uuid::Uuid::now_v7().simple().to_string())
            }
        }

        $crate::domain::text::stored_text!($name);
    };
}
pub(super) use text_id;

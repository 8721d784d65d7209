//! The fields of an object or a form, whose names may each stand there once: of two values for one name, neither can be
//! taken to be meant.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Fields by name.
#[derive(Default)]
pub(super) struct UniqueFields {
    /// The last value of each name.
    pub(super) fields: Map<String, Value>,
    /// Whether a name was given more than once.
    pub(super) twice: bool,
}

impl UniqueFields {
    fn insert(&mut self, name: String, value: Value) {
        self.twice |= self.fields.insert(name, value).is_some();
    }
}

impl FromIterator<(String, Value)> for UniqueFields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        let mut unique = Self::default();
        fields.into_iter().for_each(|(name, value)| unique.insert(name, value));
        unique
    }
}

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueFields, A::Error> {
                let mut unique = UniqueFields::default();
                while let Some((name, value)) = map.next_entry()? {
                    unique.insert(name, value);
                }
                Ok(unique)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

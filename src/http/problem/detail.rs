//! The description of one mistake, for people, always in both languages.

use crate::http::language::Language;
use std::borrow::Cow;

/// A text in English and in Chinese; made from a pair of them, in this order.
#[derive(Debug, Clone)]
pub struct Detail {
    english: Cow<'static, str>,
    chinese: Cow<'static, str>,
}

impl Detail {
    /// The text in the reader's language.
    pub(in crate::http) fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }

    /// Joins several mistakes into one text, each with its field.
    pub(super) fn of_fields(mistakes: &[FieldMistake]) -> Self {
        let told = |language| {
            let each = mistakes.iter().map(|m| format!("`{}` {}", m.field, m.detail.in_language(language)));
            each.collect::<Vec<String>>()
        };
        (told(Language::English).join("; "), told(Language::Chinese).join("；")).into()
    }
}

impl From<(&'static str, &'static str)> for Detail {
    fn from((english, chinese): (&'static str, &'static str)) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }
}

impl From<(String, String)> for Detail {
    fn from((english, chinese): (String, String)) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }
}

/// A mistake in one field of a request.
#[derive(Debug, Clone)]
pub struct FieldMistake {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub detail: Detail,
}

/// "is missing", for a field.
pub(crate) const MISSING: (&str, &str) = ("is missing", "缺失");

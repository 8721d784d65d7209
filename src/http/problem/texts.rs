//! Titles and details, for people, in English and Chinese.

use super::ErrorCode;
use crate::http::language::Language;

/// A title and a detail in each language.
pub(super) struct Texts {
    pub(super) english: (&'static str, &'static str),
    pub(super) chinese: (&'static str, &'static str),
}

impl Texts {
    pub(super) fn in_language(&self, language: Language) -> (&'static str, &'static str) {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

/// The texts of a code when the token is a backend's API key.
pub(super) fn of_api_key(code: ErrorCode) -> &'static Texts {
    match code {
        ErrorCode::TokenMissing => &Texts {
            english: (
                "API key missing",
                "Send the API key as `Authorization: Bearer KEY`, or by HTTP Basic with its name as the user.",
            ),
            chinese: (
                "缺少 API key",
                "请用 `Authorization: Bearer KEY` 发送 API key，或用 HTTP Basic，以它的名称为用户名。",
            ),
        },
        ErrorCode::TokenInvalid => &Texts {
            english: ("API key invalid", "There is no such API key, or it was revoked."),
            chinese: ("API key 无效", "该 API key 不存在，或已被吊销。"),
        },
        ErrorCode::PermissionDenied => &Texts {
            english: ("Scope missing", "The API key lacks the scope that this call needs."),
            chinese: ("API key 权限不足", "该 API key 没有此接口所需的 scope。"),
        },
        other => other.texts(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let titles: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.texts().chinese.0).collect();
        assert_eq!(titles.len(), ErrorCode::ALL.len());
        for code in [ErrorCode::TokenMissing, ErrorCode::TokenInvalid, ErrorCode::PermissionDenied] {
            assert!(!titles.contains(of_api_key(code).chinese.0));
        }
    }
}

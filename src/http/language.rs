//! English or Chinese, as the caller prefers (RFC 9110 12.5.4).

use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};

/// A language of weauth's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// The default.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The language that the request prefers: Chinese if it ranks above English, or first among equals.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut best, mut language) = (0.0, Self::English);
        let (mut others, mut english_is_named) = (0.0, false);
        for range in
            headers.get_all(ACCEPT_LANGUAGE).filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','))
        {
            let (tag, quality) = quality_of(range);
            let tag = tag.to_ascii_lowercase();
            let spoken = match tag.split('-').next() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                Some("*") => {
                    others = quality;
                    continue;
                }
                _ => continue,
            };
            english_is_named |= spoken == Self::English;
            if quality > best {
                (best, language) = (quality, spoken);
            }
        }
        // `*` matches whatever is not named (RFC 4647 3.3.1).
        if !english_is_named && others > best { Self::English } else { language }
    }
}

fn quality_of(range: &str) -> (&str, f32) {
    let mut parts = range.split(';');
    let tag = parts.next().unwrap_or_default().trim();
    let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
    (tag, quality)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn chinese_is_spoken_to_those_who_prefer_it() {
        let language = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(value));
            Language::of(&headers)
        };
        assert_eq!(language("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(language("ZH"), Language::Chinese);
        assert_eq!(language("en-US,en;q=0.9,zh;q=0.5"), Language::English);
        assert_eq!(language("fr, zh;q=0.1"), Language::Chinese);
        assert_eq!(language("en, zh"), Language::English);
        assert_eq!(language("zh, en"), Language::Chinese);
        assert_eq!(language("*;q=0.5, zh;q=0.1"), Language::English);
        assert_eq!(language("zh;q=0.5, *;q=0.1"), Language::Chinese);
        assert_eq!(language("*;q=0.9, zh;q=0.5, en;q=0.1"), Language::Chinese);
        assert_eq!(language("zh;q=0"), Language::English);
        assert_eq!(language(";;q=x,"), Language::English);
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }
}

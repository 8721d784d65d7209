//! The two URLs of a configuration. Mistakes show neither, because either may accidentally contain a password.

use crate::domain::is_this_machine;
use url::Url;

/// Why a text is not a valid URL here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not `http://…` or `https://…`.
    #[error("is not an absolute URL: give `https://` (or `http://`) and a host")]
    Form,
    /// With `?…` or `#…`.
    #[error("has a query or a fragment: end it before the `?` or `#`")]
    Query,
    /// With `user:password@`.
    #[error("has a user or password: leave out what stands before the `@`")]
    User,
    /// Plain HTTP to another machine, although it would carry the AppSecret.
    #[error("is plain http: the AppSecret is sent there, so give `https://` (http only for 127.0.0.1)")]
    Plain,
}

/// Reads the URL under which clients reach this server. Returns it normalized, without a trailing slash, because
/// the tokens' `iss` is compared exactly.
pub(super) fn parse_public_url(text: &str) -> Result<String, InvalidUrl> {
    Ok(parse(text)?.as_str().trim_end_matches('/').to_owned())
}

/// Reads WeChat's base URL.
pub(super) fn parse_api_base(text: &str) -> Result<Url, InvalidUrl> {
    let url = parse(text)?;
    if url.scheme() == "http" && !url.host_str().is_some_and(is_this_machine) {
        return Err(InvalidUrl::Plain);
    }
    Ok(url)
}

fn parse(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text).map_err(|_| InvalidUrl::Form)?;
    // `https:host` would parse too, but nobody means it.
    if !matches!(url.scheme(), "http" | "https") || !text.contains("://") {
        return Err(InvalidUrl::Form);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidUrl::Query);
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user { Err(InvalidUrl::User) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_absolute_and_bare() {
        assert_eq!(parse_public_url("https://Login.Example.com/").unwrap(), "https://login.example.com");
        assert_eq!(parse_public_url("http://10.0.0.1:8080/auth/").unwrap(), "http://10.0.0.1:8080/auth");
        for (wrong, why) in [
            ("", InvalidUrl::Form),
            ("login.example.com", InvalidUrl::Form),
            ("/auth", InvalidUrl::Form),
            ("ftp://example.com", InvalidUrl::Form),
            ("https:example.com", InvalidUrl::Form),
            ("https://", InvalidUrl::Form),
            ("https://example.com/?a=b", InvalidUrl::Query),
            ("https://example.com/?", InvalidUrl::Query),
            ("https://example.com/#top", InvalidUrl::Query),
            ("https://me:secret@example.com", InvalidUrl::User),
        ] {
            assert_eq!(parse_public_url(wrong), Err(why), "{wrong}");
        }
    }

    #[test]
    fn the_app_secret_travels_encrypted_or_not_at_all() {
        for good in
            ["https://api.weixin.qq.com", "http://127.0.0.1:8081", "http://[::1]:1", "http://localhost"]
        {
            assert!(parse_api_base(good).is_ok(), "{good}");
        }
        for plain in ["http://api.weixin.qq.com", "http://10.0.0.1", "http://localhost.example.com"] {
            assert_eq!(parse_api_base(plain), Err(InvalidUrl::Plain), "{plain}");
        }
    }
}

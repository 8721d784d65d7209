//! The header `Authorization`, read by the same rules wherever a call takes one.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

/// What the header brings.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(super) enum Credentials<'a> {
    /// A token (RFC 6750 2.1).
    Bearer(&'a str),
    /// A user and a password (RFC 7617), which OAuth clients form-encode (RFC 6749 2.3.1).
    Basic { user: String, password: String },
    /// Another scheme, or a scheme without credentials.
    Other,
}

/// Why the header can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is given more than once; neither can be taken to be meant.
    Repeated,
    /// It is not text, or calls itself Basic and does not hold a user and a password.
    Unreadable,
}

/// The request's credentials; `None` without the header. The scheme's name is case-insensitive.
pub(super) fn of(request: &HttpRequest) -> Result<Option<Credentials<'_>>, Malformed> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Malformed::Repeated);
    }
    // Not `to_str`, which checks byte by byte: every request with a token comes through here.
    let header = std::str::from_utf8(header.as_bytes()).map_err(|_| Malformed::Unreadable)?;
    let (scheme, credentials) = header.split_once(' ').unwrap_or_default();
    let credentials = credentials.trim();
    if credentials.is_empty() {
        Ok(Some(Credentials::Other))
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(Credentials::Bearer(credentials)))
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(credentials).map(Some).ok_or(Malformed::Unreadable)
    } else {
        Ok(Some(Credentials::Other))
    }
}

fn basic(credentials: &str) -> Option<Credentials<'static>> {
    let pair = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Credentials::Basic { user: form_decoded(user)?, password: form_decoded(password)? })
}

fn form_decoded(text: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    let decoded = pairs.next().map_or_else(String::new, |(decoded, _)| decoded.into_owned());
    (pairs.next().is_none() && !text.contains('=')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn request(headers: &[&str]) -> HttpRequest {
        let with = |request: TestRequest, header: &&str| request.append_header((AUTHORIZATION, *header));
        headers.iter().fold(TestRequest::default(), with).to_http_request()
    }

    #[test]
    fn one_header_is_read_and_of_two_none() {
        assert_eq!(of(&request(&[])), Ok(None));
        for bearer in ["Bearer x.y", "bearer x.y", "BEARER   x.y "] {
            assert_eq!(of(&request(&[bearer])), Ok(Some(Credentials::Bearer("x.y"))), "{bearer}");
        }
        for other in ["", "Bearer", "Bearer ", "Basic", "shop", "Digest username=\"shop\""] {
            assert_eq!(of(&request(&[other])), Ok(Some(Credentials::Other)), "{other}");
        }
        assert_eq!(of(&request(&["Bearer x", "Bearer x"])), Err(Malformed::Repeated));
        let not_text = TestRequest::default().append_header((AUTHORIZATION, &b"Bearer \xff"[..]));
        assert_eq!(of(&not_text.to_http_request()), Err(Malformed::Unreadable));
    }

    #[test]
    fn user_and_password_are_form_encoded_within() {
        let read = |pair: &str| basic(&STANDARD.encode(pair));
        let basic_of = |user: &str, password: &str| {
            Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
        };
        assert_eq!(read("a.b_c-d:weauth_x-y"), basic_of("a.b_c-d", "weauth_x-y"));
        assert_eq!(read("a%2Eb%5Fc%2Dd:weauth%5Fx%2Dy"), basic_of("a.b_c-d", "weauth_x-y"));
        assert_eq!(read("wx0123456789abcdef:"), basic_of("wx0123456789abcdef", ""));
        for wrong in ["", "name", "a&b:c", "a=b:c"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(of(&request(&["Basic not base64"])), Err(Malformed::Unreadable));
    }
}

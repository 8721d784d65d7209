//! HTTP Basic (RFC 7617), as OAuth clients send it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

/// The user and password of the credentials, each form-encoded (RFC 6749 2.3.1); `None` if they are malformed.
pub(super) fn basic(credentials: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((form_decoded(user)?, form_decoded(password)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    let decoded = pairs.next().map_or_else(String::new, |(decoded, _)| decoded.into_owned());
    (pairs.next().is_none() && !text.contains('=')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_form_encoded_within() {
        let read = |pair: &str| basic(&STANDARD.encode(pair));
        let expected = Some(("a.b_c-d".to_owned(), "weauth_x-y".to_owned()));
        assert_eq!(read("a.b_c-d:weauth_x-y"), expected);
        assert_eq!(read("a%2Eb%5Fc%2Dd:weauth%5Fx%2Dy"), expected);
        assert_eq!(read("wx0123456789abcdef:"), Some(("wx0123456789abcdef".to_owned(), String::new())));
        for wrong in ["", "name", "a&b:c", "a=b:c"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(basic("not base64"), None);
    }
}

//! Which pages may use the control API. A browser lets any page send requests to a program on its own
//! machine, but does not let it forge its origin.

use crate::domain::is_this_machine;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use url::{Host, Url};

/// Does this request come from a page that is not the developer's own? Without an `Origin` it comes from no page.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
    origin.is_none_or(|origin| !is_own(&origin, headers.get(HOST)))
}

/// A page on this machine, or the demo page opened by IP address. A name may resolve to any address, even this one.
fn is_own(origin: &Url, host: Option<&HeaderValue>) -> bool {
    let is_address = matches!(origin.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    let is_same = || {
        let asked = host.and_then(|host| Url::parse(&format!("http://{}", host.to_str().ok()?)).ok());
        asked.is_some_and(|asked| asked.host() == origin.host() && asked.port() == origin.port())
    };
    origin.host_str().is_some_and(is_this_machine) || is_address && is_same()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_elsewhere_is_told_from_ones_own() {
        let foreign = |origin: Option<&'static str>, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            is_foreign(&headers)
        };
        for own in [
            None,
            Some("http://127.0.0.1:8080"),
            Some("http://localhost:3000"),
            Some("http://[::1]:8080"),
            Some("http://192.168.1.5:8081"),
        ] {
            assert!(!foreign(own, "192.168.1.5:8081"), "{own:?}");
        }
        for other in ["https://evil.example", "null", "", "http://10.0.0.7:8081", "http://192.168.1.5:80"] {
            assert!(foreign(Some(other), "192.168.1.5:8081"), "{other}");
        }
        let bound_anew = "http://evil.example:8081";
        assert!(foreign(Some(bound_anew), "evil.example:8081"));
    }
}

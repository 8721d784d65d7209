//! Errors as standard OAuth clients read them (RFC 6749 5.2).

use super::{ErrorCode, Problem};
use crate::flows::RefreshError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

/// The `error` of RFC 6749 5.2, or of 4.1.2.1 where 5.2 has none, that corresponds to our code.
pub fn oauth_error(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidRequest
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::PayloadTooLarge
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed => "invalid_request",
        ErrorCode::UnknownApp
        | ErrorCode::TokenMissing
        | ErrorCode::TokenInvalid
        | ErrorCode::TokenExpired
        | ErrorCode::TokenRevoked => "invalid_client",
        ErrorCode::RefreshTokenInvalid
        | ErrorCode::RefreshTokenReused
        | ErrorCode::WechatCodeInvalid
        | ErrorCode::WechatCodeUsed
        | ErrorCode::UserBanned
        | ErrorCode::WechatUserBlocked => "invalid_grant",
        ErrorCode::PermissionDenied => "access_denied",
        ErrorCode::RateLimited
        | ErrorCode::WechatRateLimited
        | ErrorCode::WechatUnavailable
        | ErrorCode::Overloaded
        | ErrorCode::DatabaseUnavailable => "temporarily_unavailable",
        ErrorCode::WechatBadResponse | ErrorCode::WechatMisconfigured | ErrorCode::WechatTimeout => {
            "server_error"
        }
    }
}

/// A problem in the form of RFC 6749 5.2: `application/json` with `error` and `error_description`, plus all
/// members of our own problem object.
#[derive(Debug, Clone)]
pub struct OAuthProblem(Problem);

impl OAuthProblem {
    /// A problem for which OAuth has a more specific name than [`oauth_error`] gives its code.
    pub fn named(error: &'static str, problem: Problem) -> Self {
        let status = match (error, problem.code) {
            ("invalid_client", _) => StatusCode::UNAUTHORIZED,
            ("invalid_grant", _) | (_, ErrorCode::UnsupportedMediaType) => StatusCode::BAD_REQUEST,
            // The RFC does not cover errors that are not the client's fault.
            (_, code) => code.status(),
        };
        Self(Problem { oauth_error: Some(error), status, ..problem })
    }

    /// The problem object inside.
    pub fn problem(&self) -> &Problem {
        &self.0
    }

    /// Writes it for the request it answers, like [`Problem::addressed_to`].
    #[must_use]
    pub fn addressed_to(self, request: &HttpRequest) -> Self {
        Self(self.0.addressed_to(request))
    }
}

impl From<Problem> for OAuthProblem {
    fn from(problem: Problem) -> Self {
        Self::named(oauth_error(problem.code), problem)
    }
}

impl From<RefreshError> for OAuthProblem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Scope => Self::named("invalid_scope", error.into()),
            error => Problem::from(error).into(),
        }
    }
}

impl std::fmt::Display for OAuthProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for OAuthProblem {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.error_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Replaces characters that RFC 6749 5.2 forbids in a description: it allows printable ASCII without `"` and `\`.
pub(super) fn printable(text: &str) -> String {
    let allowed = |c: char| match c {
        '"' | '\\' => '\'',
        ' '..='~' => c,
        _ => '.',
    };
    text.chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

    #[test]
    fn statuses_are_those_of_rfc_6749() {
        for code in ErrorCode::ALL {
            let response = OAuthProblem::from(Problem::new(*code)).error_response();
            let status = response.status().as_u16();
            match oauth_error(*code) {
                "invalid_grant" => assert_eq!(status, 400),
                "invalid_client" => assert_eq!(status, 401),
                _ if *code == ErrorCode::UnsupportedMediaType => assert_eq!(status, 400),
                _ => assert_eq!(status, code.status().as_u16()),
            }
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), matches!(status, 401 | 403));
            assert_eq!(response.headers().contains_key(RETRY_AFTER), matches!(status, 429 | 503));
            assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "application/json");
        }
    }

    #[actix_web::test]
    async fn a_standard_client_and_ours_read_the_same_answer() {
        let response = OAuthProblem::from(Problem::new(ErrorCode::UnknownApp)).error_response();
        let body = to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["error_description"], body["detail"]);
        assert_eq!((&body["code"], &body["status"]), (&"unknown_app".into(), &401.into()));
    }

    #[test]
    fn a_description_is_printable_ascii() {
        assert_eq!(printable("say \"a\\b\" …\n"), "say 'a'b' ..");
        for code in ErrorCode::ALL {
            let description = printable(Problem::new(*code).english_detail());
            let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(description.bytes().all(allowed), "{description}");
        }
    }
}

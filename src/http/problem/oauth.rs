//! Errors as standard OAuth clients read them (RFC 6749 5.2).

use super::{Dialect, ErrorCode, Problem};
use actix_web::http::StatusCode;
use serde::Serialize;

/// The errors of RFC 6749 5.2, and of 4.1.2.1 where 5.2 has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum OAuthError {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnsupportedGrantType,
    InvalidScope,
    AccessDenied,
    TemporarilyUnavailable,
    ServerError,
}

impl OAuthError {
    /// The status of an error with this name.
    pub(super) fn status(self, code: ErrorCode) -> StatusCode {
        match (self, code) {
            (Self::InvalidClient, _) => StatusCode::UNAUTHORIZED,
            (Self::InvalidGrant, _) | (_, ErrorCode::UnsupportedMediaType) => StatusCode::BAD_REQUEST,
            // The RFC does not cover errors that are not the client's fault.
            (_, code) => code.status(),
        }
    }
}

/// The error of a call made for standard OAuth clients: in the form of RFC 6749 5.2, plus all members of our own
/// problem object.
pub(in crate::http) struct OAuthProblem(Problem);

/// The error of a call that backends make, with our own clients or standard ones: our problem object, plus the
/// members of RFC 6749 5.2.
pub(in crate::http) struct BackendProblem(Problem);

impl<E: Into<Problem>> From<E> for OAuthProblem {
    fn from(error: E) -> Self {
        Self(Problem { dialect: Dialect::OAuth, ..error.into() })
    }
}

impl<E: Into<Problem>> From<E> for BackendProblem {
    fn from(error: E) -> Self {
        Self(Problem { dialect: Dialect::Both, ..error.into() })
    }
}

impl From<OAuthProblem> for actix_web::Error {
    fn from(OAuthProblem(problem): OAuthProblem) -> Self {
        problem.into()
    }
}

impl From<BackendProblem> for actix_web::Error {
    fn from(BackendProblem(problem): BackendProblem) -> Self {
        problem.into()
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
    use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
    use actix_web::{HttpResponse, ResponseError};

    fn told(code: ErrorCode) -> HttpResponse {
        OAuthProblem::from(Problem::new(code)).0.error_response()
    }

    #[test]
    fn statuses_are_those_of_rfc_6749() {
        for code in ErrorCode::ALL {
            let response = told(*code);
            let status = response.status().as_u16();
            match code.oauth() {
                OAuthError::InvalidGrant => assert_eq!(status, 400),
                OAuthError::InvalidClient => assert_eq!(status, 401),
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
        let body = to_bytes(told(ErrorCode::UnknownApp).into_body()).await.unwrap();
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

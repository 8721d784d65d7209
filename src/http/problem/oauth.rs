//! The same errors in the form that standard OAuth clients read (RFC 6749 5.2), with every member of our
//! problem object beside it.

use super::{Body, ErrorCode, Problem};
use crate::flows::RefreshError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;

/// What OAuth calls an error: the names of RFC 6749 5.2, and where the client is not at fault those of 4.1.2.1.
pub fn oauth_error(code: ErrorCode) -> &'static str {
    match code {
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
        _ => match code.status().as_u16() {
            429 | 503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        },
    }
}

/// A problem for a standard OAuth client: `application/json` with `error` and `error_description`.
#[derive(Debug, Clone)]
pub struct OAuthProblem(pub Problem);

impl OAuthProblem {
    /// A problem that OAuth has a narrower name for than [`oauth_error`] gives its code.
    pub fn named(error: &'static str, problem: Problem) -> Self {
        Self(Problem { oauth_error: Some(error), ..problem })
    }

    /// Written for the request it answers: in its language, with its id.
    #[must_use]
    pub fn addressed_to(self, request: &HttpRequest) -> Self {
        Self(self.0.addressed_to(request))
    }

    fn error(&self) -> &'static str {
        self.0.oauth_error.unwrap_or_else(|| oauth_error(self.0.code))
    }
}

impl From<Problem> for OAuthProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<RefreshError> for OAuthProblem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Scope => Self::named("invalid_scope", error.into()),
            error => Self(error.into()),
        }
    }
}

#[derive(Serialize)]
struct OAuthBody<'a> {
    error: &'static str,
    error_description: String,
    #[serde(flatten)]
    problem: Body<'a>,
}

impl std::fmt::Display for OAuthProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for OAuthProblem {
    /// RFC 6749 5.2 knows 400, and 401 where the client itself is refused; troubles that are not the
    /// client's keep their status.
    fn status_code(&self) -> StatusCode {
        match (self.error(), self.0.code) {
            ("invalid_client", _) => StatusCode::UNAUTHORIZED,
            ("invalid_grant", _) | (_, ErrorCode::UnsupportedMediaType) => StatusCode::BAD_REQUEST,
            (_, code) => code.status(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = self.0.head(status);
        if status == StatusCode::UNAUTHORIZED {
            // Beside Bearer: a client that came with Basic must be answered with Basic.
            let basic = HeaderValue::from_static(r#"Basic realm="weauth", charset="UTF-8""#);
            response.append_header((WWW_AUTHENTICATE, basic));
        }
        let body = OAuthBody {
            error: self.error(),
            error_description: printable(self.0.english_detail()),
            problem: self.0.body(status),
        };
        response.content_type("application/json").body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// A text in the characters that RFC 6749 5.2 allows: printable ASCII without `"` and `\`.
fn printable(text: &str) -> String {
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

    #[test]
    fn every_error_has_a_name_that_the_rfcs_know() {
        const KNOWN: [&str; 6] = [
            "invalid_request",
            "invalid_client",
            "invalid_grant",
            "access_denied",
            "temporarily_unavailable",
            "server_error",
        ];
        for code in ErrorCode::ALL {
            let (error, problem) = (oauth_error(*code), OAuthProblem(Problem::new(*code)));
            assert!(KNOWN.contains(&error), "{error}");
            let ours = problem.status_code().is_server_error() || problem.status_code() == 429;
            assert_eq!(
                ours,
                matches!(error, "temporarily_unavailable" | "server_error"),
                "{}",
                code.as_str()
            );
            let description = printable(problem.0.english_detail());
            let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(description.bytes().all(allowed), "{description}");
        }
    }

    #[test]
    fn a_description_is_printable_ascii() {
        assert_eq!(printable("say \"a\\b\" …\n"), "say 'a'b' ..");
    }
}

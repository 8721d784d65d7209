//! Errors as `application/problem+json` (RFC 9457), in the caller's language.

mod cause;
mod code;
mod detail;
mod facts;
mod mapping;
mod oauth;
mod texts;

pub use code::ErrorCode;
pub(super) use detail::MISSING;
pub use detail::{Detail, FieldMistake};
pub use facts::Retry;
pub(super) use oauth::{BackendProblem, OAuthError, OAuthProblem};

use super::language::Language;
use super::request_id::RequestId;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use cause::Cause;
use serde::Serialize;

/// Whose token a problem concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    User,
    ApiKey,
}

/// How a problem is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// As RFC 9457 has it.
    Problem,
    /// The same, with the members `error` and `error_description` of RFC 6749 5.2.
    Both,
    /// As RFC 6749 5.2 has it, with the members of a problem.
    OAuth,
}

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ErrorCode,
    subject: Subject,
    dialect: Dialect,
    oauth_error: OAuthError,
    detail: Option<Box<Detail>>,
    mistakes: Vec<FieldMistake>,
    allow: Option<&'static str>,
    retry_after: Option<u32>,
    addressee: Option<(Language, String)>,
    cause: Option<Cause>,
}

impl Problem {
    /// A problem whose detail is the code's own text.
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            subject: Subject::User,
            dialect: Dialect::Problem,
            oauth_error: code.oauth(),
            detail: None,
            mistakes: Vec::new(),
            allow: None,
            retry_after: code.retry_after(),
            addressee: None,
            cause: None,
        }
    }

    /// A problem with its own detail, in English and Chinese. Clients see it, so it must not contain secrets.
    pub fn with_detail(code: ErrorCode, detail: impl Into<Detail>) -> Self {
        Self { detail: Some(Box::new(detail.into())), ..Self::new(code) }
    }

    /// `invalid_request` because of one field.
    pub fn field(field: &str, detail: impl Into<Detail>) -> Self {
        Self::fields(vec![FieldMistake { field: field.to_owned(), detail: detail.into() }])
    }

    /// `invalid_request` because of several fields.
    pub fn fields(mistakes: Vec<FieldMistake>) -> Self {
        let told = Detail::of_fields(&mistakes);
        Self { mistakes, ..Self::with_detail(ErrorCode::InvalidRequest, told) }
    }

    /// `invalid_request` because of a query parameter that the call does not have, named only if it looks like a name:
    /// anything else may be a secret in the wrong place.
    pub(crate) fn unknown_parameter(name: &str) -> Self {
        let is_name =
            name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let field = if is_name { name } else { "(a parameter)" };
        Self::field(field, ("is not a parameter of this call", "不是本接口的参数"))
    }

    /// `method_not_allowed`; `methods` goes into `Allow`.
    pub(crate) fn method_not_allowed(methods: &'static str) -> Self {
        Self { allow: Some(methods), ..Self::new(ErrorCode::MethodNotAllowed) }
    }

    /// `rate_limited`; there is room again after this many seconds.
    pub(crate) fn rate_limited(seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(ErrorCode::RateLimited) }
    }

    /// A problem with a backend's API key, which may also come by HTTP Basic, and which no `wx.login` fixes.
    pub(crate) fn of_api_key(code: ErrorCode) -> Self {
        Self { subject: Subject::ApiKey, ..Self::new(code) }
    }

    /// Says why it happened, for the log alone: clients see its code and detail only.
    #[must_use]
    pub(super) fn caused_by(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(Cause::new(cause.into())), ..self }
    }

    /// Logs its cause, if it has one, with the id of the request that it answers.
    pub(super) fn log_cause(&self, id: &RequestId) {
        if let Some(cause) = &self.cause {
            cause.log(id.as_str());
        }
    }

    /// Gives it a more specific name in OAuth than its code has.
    #[must_use]
    pub(super) fn named_in_oauth(self, error: OAuthError) -> Self {
        Self { oauth_error: error, ..self }
    }

    /// The error code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Writes it in this language, for use where the request is not available.
    #[must_use]
    pub(super) fn in_language(self, language: Language) -> Self {
        Self { addressee: Some((language, String::new())), ..self }
    }

    /// Writes it for the request it answers: in its language, with its id.
    #[must_use]
    pub(crate) fn addressed_to(mut self, request: &HttpRequest) -> Self {
        let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
        self.addressee = Some((Language::of(request.headers()), id.unwrap_or_default()));
        self
    }

    /// The problem object, as a body or inside one.
    pub(crate) fn to_body(&self) -> impl Serialize + '_ {
        let (language, request_id) = match &self.addressee {
            Some((language, id)) => (*language, id.as_str()),
            None => (Language::English, ""),
        };
        let (title, detail) = self.texts().in_language(language);
        let detail = self.detail.as_ref().map_or(detail, |detail| detail.in_language(language));
        let error_of = |mistake| FieldError::of(mistake, language);
        let for_oauth = self.dialect != Dialect::Problem;
        Body {
            r#type: format!("urn:weauth:problem:{}", self.code.as_str()),
            title,
            status: self.status_code().as_u16(),
            detail,
            code: self.code.as_str(),
            retry: self.retry(),
            request_id,
            errors: self.mistakes.iter().map(error_of).collect(),
            error: for_oauth.then_some(self.oauth_error),
            error_description: for_oauth.then(|| oauth::printable(self.english_detail())),
        }
    }

    fn english_detail(&self) -> &str {
        let detail = self.detail.as_ref().map(|detail| detail.in_language(Language::English));
        detail.unwrap_or(self.texts().in_language(Language::English).1)
    }

    fn texts(&self) -> &'static texts::Texts {
        match self.subject {
            Subject::User => self.code.texts(),
            Subject::ApiKey => texts::of_api_key(self.code),
        }
    }

    fn retry(&self) -> Retry {
        let retry = self.code.retry();
        if self.subject == Subject::ApiKey && retry == Retry::Relogin { Retry::None } else { retry }
    }

    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self.code {
            ErrorCode::TokenInvalid | ErrorCode::TokenExpired | ErrorCode::TokenRevoked => {
                format!(
                    r#"Bearer realm="weauth", error="invalid_token", error_description="{}""#,
                    self.texts().in_language(Language::English).1
                )
            }
            ErrorCode::PermissionDenied => r#"Bearer realm="weauth", error="insufficient_scope""#.to_owned(),
            _ if self.status_code() == StatusCode::UNAUTHORIZED => r#"Bearer realm="weauth""#.to_owned(),
            _ => return None,
        };
        HeaderValue::from_str(&challenge).ok()
    }
}

/// A mistake in the reader's language.
#[derive(Serialize)]
struct FieldError<'a> {
    field: &'a str,
    detail: &'a str,
}

impl<'a> FieldError<'a> {
    fn of(mistake: &'a FieldMistake, language: Language) -> Self {
        Self { field: &mistake.field, detail: mistake.detail.in_language(language) }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    retry: Retry,
    /// Absent in a response of the `App`'s own handler, which has no id.
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OAuthError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self.dialect {
            Dialect::Problem | Dialect::Both => self.code.status(),
            Dialect::OAuth => self.oauth_error.status(self.code),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(match self.dialect {
            Dialect::Problem | Dialect::Both => "application/problem+json",
            Dialect::OAuth => "application/json",
        });
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        // A client that used Basic must be challenged with Basic (RFC 6749 5.2).
        let takes_basic = self.subject == Subject::ApiKey || self.dialect != Dialect::Problem;
        if takes_basic && self.status_code() == StatusCode::UNAUTHORIZED {
            response.append_header((header::WWW_AUTHENTICATE, r#"Basic realm="weauth", charset="UTF-8""#));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response.body(serde_json::to_vec(&self.to_body()).unwrap_or_default())
    }
}

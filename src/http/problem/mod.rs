//! Errors as `application/problem+json` (RFC 9457), in the caller's language.

mod code;
mod mapping;
mod oauth;
mod texts;

pub use code::{ErrorCode, Retry};
pub use oauth::{OAuthProblem, oauth_error};

use super::language::Language;
use super::request_id::RequestId;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

/// A mistake in one field of a request, in both languages.
#[derive(Debug, Clone, Serialize)]
pub struct FieldMistake {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    code: ErrorCode,
    detail: Option<String>,
    mistakes: Vec<FieldMistake>,
    allow: Option<&'static str>,
    oauth_error: Option<&'static str>,
    addressee: Option<(Language, String)>,
}

impl Problem {
    /// A problem whose detail is the code's own text.
    pub fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, mistakes: Vec::new(), allow: None, oauth_error: None, addressee: None }
    }

    /// A problem with a detail of its own. It is shown to clients: nothing secret goes in.
    pub fn with_detail(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    /// `invalid_request` because of one field.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldMistake { field: field.to_owned(), detail: detail.into() }])
    }

    /// `invalid_request` because of several fields.
    pub fn fields(mistakes: Vec<FieldMistake>) -> Self {
        let told: Vec<String> = mistakes.iter().map(|m| format!("`{}` {}", m.field, m.detail)).collect();
        Self { mistakes, ..Self::with_detail(ErrorCode::InvalidRequest, told.join("; ")) }
    }

    /// `method_not_allowed`; `methods` goes into `Allow`.
    pub fn method_not_allowed(methods: &'static str) -> Self {
        Self { allow: Some(methods), ..Self::new(ErrorCode::MethodNotAllowed) }
    }

    /// What went wrong.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Written for the request it answers: in its language, with its id.
    #[must_use]
    pub fn addressed_to(mut self, request: &HttpRequest) -> Self {
        let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
        self.addressee = Some((Language::of(request.headers()), id.unwrap_or_default()));
        self
    }

    /// The problem object, as a body or within one.
    pub fn to_body(&self) -> impl Serialize + '_ {
        self.body(self.code.status())
    }

    fn body(&self, status: StatusCode) -> Body<'_> {
        let (language, request_id) = match &self.addressee {
            Some((language, id)) => (*language, id.as_str()),
            None => (Language::English, ""),
        };
        let texts = texts::of(self.code);
        let (title, detail) = texts.in_language(language);
        Body {
            r#type: format!("urn:weauth:problem:{}", self.code.as_str()),
            title,
            status: status.as_u16(),
            detail: self.detail.as_deref().unwrap_or(detail),
            code: self.code.as_str(),
            retry: self.code.retry(),
            request_id,
            errors: &self.mistakes,
        }
    }

    fn english_detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(texts::of(self.code).in_language(Language::English).1)
    }

    /// The answer without its body: what every form of a problem has in its head.
    fn head(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge(status) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.code.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        response
    }

    fn challenge(&self, status: StatusCode) -> Option<HeaderValue> {
        let challenge = match self.code {
            ErrorCode::TokenInvalid | ErrorCode::TokenExpired | ErrorCode::TokenRevoked => {
                format!(
                    r#"Bearer realm="weauth", error="invalid_token", error_description="{}""#,
                    texts::of(self.code).in_language(Language::English).1
                )
            }
            ErrorCode::PermissionDenied => r#"Bearer realm="weauth", error="insufficient_scope""#.to_owned(),
            _ if status == StatusCode::UNAUTHORIZED => r#"Bearer realm="weauth""#.to_owned(),
            _ => return None,
        };
        HeaderValue::from_str(&challenge).ok()
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
    /// Absent in an answer of somebody else's handler, which has no id.
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldMistake],
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = serde_json::to_vec(&self.to_body()).unwrap_or_default();
        self.head(self.code.status()).content_type("application/problem+json").body(body)
    }
}

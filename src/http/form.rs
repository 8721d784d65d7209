//! A form as OAuth requires it (RFC 6749 3.2): no parameter repeats, and an empty one counts as missing.

use super::fields::{Fields, Format, form_pairs, read_body};
use super::problem::{ErrorCode, MISSING, OAuthProblem, Problem};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use std::collections::HashMap;

/// The parameters of a form.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// Reads a request's body, which must be `application/x-www-form-urlencoded`.
    pub(super) fn read(
        request: &HttpRequest,
        payload: &mut Payload,
    ) -> impl Future<Output = Result<Self, Problem>> + use<> {
        let body = read_body(request, payload);
        async move {
            match body.await? {
                (Some(Format::Form), body) => parse(&body),
                (Some(Format::Json) | None, _) => Err(Problem::with_detail(
                    ErrorCode::UnsupportedMediaType,
                    (
                        "this call takes a form (application/x-www-form-urlencoded) only",
                        "本接口只接受表单（application/x-www-form-urlencoded）",
                    ),
                )),
            }
        }
    }

    /// A parameter that may be missing.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be present.
    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.optional(name).ok_or_else(|| Problem::field(name, MISSING))
    }
}

/// The same for calls that answer standard OAuth clients, which reports all mistakes at once.
pub(super) struct OAuthForm(pub(super) Fields);

impl FromRequest for OAuthForm {
    type Error = OAuthProblem;
    type Future = LocalBoxFuture<'static, Result<Self, OAuthProblem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let form = Form::read(request, payload);
        Box::pin(async move { Ok(Self(Fields::of(form.await?.0))) })
    }
}

fn parse(body: &[u8]) -> Result<Form, Problem> {
    let mut form = HashMap::new();
    for (name, value) in form_pairs(body)? {
        if value.is_empty() {
            continue;
        }
        // The name is a client's text and may be a misplaced secret, so it is not repeated.
        if form.insert(name, value).is_some() {
            let twice = ("the form holds a parameter twice", "表单中有重复的参数");
            return Err(Problem::with_detail(ErrorCode::InvalidRequest, twice));
        }
    }
    Ok(Form(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_missing_and_nothing_stands_there_twice() {
        let form = parse(b"token=a%2Bb+c&hint=&other=1").ok().unwrap();
        assert_eq!(form.required("token").unwrap(), "a+b c");
        assert_eq!(form.optional("hint"), None);
        assert_eq!(form.required("hint").unwrap_err().code(), ErrorCode::InvalidRequest);
        for wrong in [&b"token=a&token=a"[..], b"token=a&token=b", b"\xff=1"] {
            assert_eq!(parse(wrong).err().map(|problem| problem.code()), Some(ErrorCode::InvalidRequest));
        }
        assert!(parse(b"token=a&token=").is_ok() && parse(b"").is_ok());
    }
}

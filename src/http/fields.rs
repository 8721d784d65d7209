//! The fields of a body, JSON or form; mistakes are reported per field.

use super::body::{Format, invalid, read_body};
use super::problem::{Detail, ErrorCode, FieldMistake, MISSING, Problem};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::RefCell;

/// What a call takes as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A JSON object or a form.
    JsonOrForm,
    /// A form in which an empty parameter counts as missing (RFC 6749 3.2).
    OAuthForm,
}

/// The fields of a body, and the mistakes found in them so far.
pub(super) struct Fields {
    fields: Map<String, Value>,
    mistakes: RefCell<Vec<FieldMistake>>,
}

impl FromRequest for Fields {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(Self::read(request, payload, Accepts::JsonOrForm))
    }
}

impl Fields {
    /// Reads a request's body.
    pub(super) fn read(
        request: &HttpRequest,
        payload: &mut Payload,
        accepts: Accepts,
    ) -> impl Future<Output = Result<Self, Problem>> + use<> {
        let body = read_body(request, payload);
        async move {
            let (format, body) = body.await?;
            Self::parse(accepts, format, &body)
        }
    }

    fn parse(accepts: Accepts, format: Option<Format>, body: &[u8]) -> Result<Self, Problem> {
        let fields = match (accepts, format) {
            (Accepts::JsonOrForm, Some(Format::Json)) => {
                let members: Members = serde_json::from_slice(body).map_err(|error| not_an_object(&error))?;
                unique(members.0)
            }
            (Accepts::JsonOrForm, Some(Format::Form)) => unique(parameters(body)?),
            (Accepts::OAuthForm, Some(Format::Form)) => {
                unique(parameters(body)?.filter(|(_, value)| *value != ""))
            }
            (Accepts::JsonOrForm, None) => Err(Problem::new(ErrorCode::UnsupportedMediaType)),
            (Accepts::OAuthForm, Some(Format::Json) | None) => Err(Problem::with_detail(
                ErrorCode::UnsupportedMediaType,
                (
                    "this call takes a form (application/x-www-form-urlencoded) only",
                    "本接口只接受表单（application/x-www-form-urlencoded）",
                ),
            )),
        };
        Ok(Self { fields: fields?, mistakes: RefCell::default() })
    }

    /// A text; if it is missing or `null`, `None`, and recorded as a mistake.
    pub(super) fn required_text(&self, name: &str) -> Option<&str> {
        if matches!(self.fields.get(name), None | Some(Value::Null)) {
            self.mistake(name, MISSING);
        }
        self.optional_text(name)
    }

    /// A text that may be missing or `null`.
    pub(super) fn optional_text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text),
            Value::Null => None,
            _ => {
                self.mistake(name, ("must be a string", "必须是字符串"));
                None
            }
        }
    }

    /// A flag that may be missing: `true` or `false`, as text in a form.
    pub(super) fn optional_flag(&self, name: &str) -> bool {
        match self.fields.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(_) => {
                self.mistake(name, ("must be true or false", "必须是 true 或 false"));
                false
            }
        }
    }

    /// Records what is wrong with a field.
    pub(super) fn mistake(&self, field: &str, detail: impl Into<Detail>) {
        self.mistakes.borrow_mut().push(FieldMistake { field: field.to_owned(), detail: detail.into() });
    }

    /// Fails with all recorded mistakes at once, if there are any.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mistakes = self.mistakes.take();
        if mistakes.is_empty() { Ok(()) } else { Err(Problem::fields(mistakes)) }
    }
}

/// Fields by name, each given once: of two values for one name, neither can be taken to be meant.
fn unique(fields: impl IntoIterator<Item = (String, Value)>) -> Result<Map<String, Value>, Problem> {
    let mut unique = Map::new();
    for (name, value) in fields {
        // The name is a client's text and may be a misplaced secret, so it is not repeated.
        if unique.insert(name, value).is_some() {
            return Err(invalid(("a field is given more than once", "有重复的字段")));
        }
    }
    Ok(unique)
}

/// The parameters of a form, in order.
fn parameters(body: &[u8]) -> Result<impl Iterator<Item = (String, Value)>, Problem> {
    if std::str::from_utf8(body).is_err() {
        return Err(invalid(("the form is not UTF-8", "表单不是 UTF-8 编码")));
    }
    let parameters: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|_| {
        invalid((
            "the body is not a form (application/x-www-form-urlencoded)",
            "请求体不是表单（application/x-www-form-urlencoded）",
        ))
    })?;
    Ok(parameters.into_iter().map(|(name, text)| (name, Value::String(text))))
}

/// The members of a JSON object, in order. A [`Map`] would keep the last of those with one name.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn not_an_object(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        return invalid(("the body must be a JSON object", "请求体必须是 JSON 对象"));
    }
    // The parser's own words may quote the body; the position is enough.
    let (line, column) = (error.line(), error.column());
    invalid((
        format!("the body is not JSON (line {line}, column {column})"),
        format!("请求体不是 JSON（第 {line} 行，第 {column} 列）"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Fields, Problem> {
        Fields::parse(Accepts::JsonOrForm, Some(Format::Json), body.as_bytes())
    }

    fn form(accepts: Accepts, body: &[u8]) -> Result<Fields, Problem> {
        Fields::parse(accepts, Some(Format::Form), body)
    }

    #[test]
    fn mistakes_are_told_together_and_by_field() {
        let fields = json(r#"{"appid": 7, "note": null}"#).ok().unwrap();
        assert_eq!(fields.required_text("code"), None);
        assert_eq!(fields.optional_text("appid"), None);
        assert_eq!(fields.optional_text("note"), None);
        let problem = fields.check().unwrap_err();
        let body = serde_json::to_value(problem.to_body()).unwrap();
        assert_eq!(body["code"], "invalid_request");
        assert_eq!(body["detail"], "`code` is missing; `appid` must be a string");
        assert_eq!(body["errors"][1]["field"], "appid");
    }

    #[test]
    fn forms_and_objects_are_read_and_nothing_else() {
        let fields = form(Accepts::JsonOrForm, b"code=a%2Bb+c&x=").ok().unwrap();
        assert_eq!((fields.optional_text("code"), fields.optional_text("x")), (Some("a+b c"), Some("")));
        for wrong in ["", "[]", "7", "{", "{\"code\":\"a\"", "\u{feff}{}"] {
            assert!(json(wrong).is_err(), "{wrong}");
        }
        assert!(json(r#"{"code":"a","appid":null,"code":"b"}"#).is_err());
        assert!(json(r#"{"a":{"code":"a"},"code":"b"}"#).is_ok());
        for accepts in [Accepts::JsonOrForm, Accepts::OAuthForm] {
            for wrong in [&b"code=a&code=b"[..], b"code=a&code=a", b"\xff=1"] {
                let problem = form(accepts, wrong).err().unwrap();
                assert_eq!(problem.code(), ErrorCode::InvalidRequest);
            }
        }
    }

    #[test]
    fn what_is_empty_in_an_oauth_form_is_missing() {
        let form = |body: &[u8]| form(Accepts::OAuthForm, body);
        let fields = form(b"token=a&hint=&token=").ok().unwrap();
        assert_eq!((fields.optional_text("token"), fields.required_text("hint")), (Some("a"), None));
        assert!(fields.check().is_err());
        assert!(form(b"").is_ok());
        let json = Fields::parse(Accepts::OAuthForm, Some(Format::Json), b"{}");
        assert_eq!(json.err().unwrap().code(), ErrorCode::UnsupportedMediaType);
    }
}

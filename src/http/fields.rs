//! The fields of a body, JSON or form, read within limits; mistakes are reported per field.

use super::arrival::{ArrivesBy, TO_ARRIVE};
use super::problem::{Detail, ErrorCode, FieldMistake, MISSING, Problem};
use super::unique_fields::UniqueFields;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::time::Instant;

/// The maximum size of a body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The fields of a body, and the mistakes found in them so far.
pub(super) struct Fields {
    fields: Map<String, Value>,
    mistakes: RefCell<Vec<FieldMistake>>,
}

impl Fields {
    /// Takes the parameters of a form.
    pub(super) fn of(parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        let fields = parameters.into_iter().map(|(name, value)| (name, Value::String(value)));
        Self { fields: fields.collect(), mistakes: RefCell::default() }
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

fn invalid(detail: impl Into<Detail>) -> Problem {
    Problem::with_detail(ErrorCode::InvalidRequest, detail)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Form,
}

impl FromRequest for Fields {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_body(request, payload);
        Box::pin(async move {
            let (format, body) = body.await?;
            let format = format.ok_or_else(|| Problem::new(ErrorCode::UnsupportedMediaType))?;
            let fields = parse(format, &body)?;
            Ok(Self { fields, mistakes: RefCell::default() })
        })
    }
}

fn format_of(request: &HttpRequest) -> Option<Format> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(Format::Json),
        "application/x-www-form-urlencoded" => Some(Format::Form),
        _ => None,
    }
}

/// The raw body, read within its limits, and its declared format. A body of any other type is not read.
pub(super) fn read_body(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<(Option<Format>, web::BytesMut), Problem>> + use<> {
    let format = format_of(request);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let arrives_by = request.extensions().get::<ArrivesBy>().map(|by| by.0);
    let payload = payload.take();
    async move {
        if announced.is_some_and(|length| length > MAX_BODY as u64) {
            return Err(Problem::new(ErrorCode::PayloadTooLarge));
        }
        if format.is_none() {
            return Ok((None, web::BytesMut::new()));
        }
        let late = |_| Err(invalid(("the request did not arrive within 10 seconds", "请求未在 10 秒内传完")));
        let left = arrives_by.map_or(TO_ARRIVE, |by| by.saturating_duration_since(Instant::now()));
        let body = tokio::time::timeout(left, read(payload)).await.unwrap_or_else(late)?;
        Ok((format, body))
    }
}

async fn read(mut payload: Payload) -> Result<web::BytesMut, Problem> {
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|_| invalid(("the body broke off or is malformed", "请求体中断或格式错误")))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Problem::new(ErrorCode::PayloadTooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse(format: Format, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let UniqueFields { fields, twice } = match format {
        Format::Json => serde_json::from_slice(body).map_err(|error| not_an_object(&error))?,
        Format::Form => {
            form_pairs(body)?.into_iter().map(|(name, text)| (name, Value::String(text))).collect()
        }
    };
    if twice { Err(invalid(("a field stands there twice", "有重复的字段"))) } else { Ok(fields) }
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

/// The parameters of a form, in order.
pub(super) fn form_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    if std::str::from_utf8(body).is_err() {
        return Err(invalid(("the form is not UTF-8", "表单不是 UTF-8 编码")));
    }
    serde_urlencoded::from_bytes(body).map_err(|_| {
        invalid((
            "the body is not a form (application/x-www-form-urlencoded)",
            "请求体不是表单（application/x-www-form-urlencoded）",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_together_and_by_field() {
        let fields = parse(Format::Json, br#"{"appid": 7, "note": null}"#).unwrap();
        let fields = Fields { fields, mistakes: RefCell::default() };
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
        assert_eq!(parse(Format::Form, b"code=a%2Bb&x=").unwrap()["code"], "a+b");
        for wrong in ["", "[]", "7", "{", "{\"code\":\"a\"", "\u{feff}{}"] {
            assert!(parse(Format::Json, wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(parse(Format::Form, b"\xff=1").is_err());
        assert!(
            parse(Format::Form, b"code=a&code=b").is_err() && parse(Format::Form, b"code=a&code=a").is_err()
        );
        assert!(parse(Format::Json, br#"{"code":"a","appid":null,"code":"b"}"#).is_err());
        assert!(parse(Format::Json, br#"{"a":{"code":"a"},"code":"b"}"#).is_ok());
    }
}

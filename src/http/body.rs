//! The raw body of a request, read within limits.

use super::arrival::{ArrivesBy, TO_ARRIVE};
use super::problem::{Detail, ErrorCode, Problem};
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use std::time::Instant;

/// The maximum size of a body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Form,
}

/// `invalid_request`, for what is wrong with a body as a whole.
pub(super) fn invalid(detail: impl Into<Detail>) -> Problem {
    Problem::with_detail(ErrorCode::InvalidRequest, detail)
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

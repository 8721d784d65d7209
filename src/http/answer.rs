//! Answers for their caller alone, which no cache may keep.

use super::problem::{ErrorCode, Problem};
use actix_web::body::MessageBody;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// The beginning of a 200.
pub(super) fn private() -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    answer
}

/// A 200 with this as JSON.
pub(super) fn private_json(view: &impl Serialize) -> Result<HttpResponse, Problem> {
    Ok(private_rendered(to_json(view)?))
}

/// A 200 with JSON that was rendered before.
pub(super) fn private_rendered(json: impl MessageBody + 'static) -> HttpResponse {
    private().insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(json)
}

/// The JSON of a view.
pub(super) fn to_json(view: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(view).map_err(|error| {
        Problem::new(ErrorCode::Overloaded).caused_by(format!("an answer can't be written as JSON: {error}"))
    })
}

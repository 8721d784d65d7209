//! `GET /.well-known/jwks.json`: the public keys for verifying our tokens.

use super::problem::Problem;
use super::state::HttpState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};

/// How long verifiers may cache the keys. A new key is published for longer than that before it signs, see
/// [`PUBLISHED_BEFORE_SIGNING`](crate::domain::PUBLISHED_BEFORE_SIGNING).
const CACHE: &str = "public, max-age=30";

pub(super) async fn jwks(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let keys = HttpState::of(&request)?.tokens.keys();
    let tag = EntityTag::new_strong(keys.jwks_digest().to_owned());
    let known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CACHE_CONTROL, CACHE)).insert_header((ETAG, tag.to_string()));
    if known {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((CONTENT_TYPE, "application/jwk-set+json")).body(keys.jwks().to_owned()))
}

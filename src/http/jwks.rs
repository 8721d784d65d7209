//! `GET /.well-known/jwks.json`: the public keys, for whoever verifies our tokens.

use super::problem::Problem;
use super::routes::HttpState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn jwks(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let keys = HttpState::of(&request)?.tokens.keys();
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/jwk-set+json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(keys.jwks().to_owned()))
}

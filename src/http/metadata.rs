//! `GET /.well-known/oauth-authorization-server`: the server's metadata, for clients that discover endpoints
//! themselves (RFC 8414).

use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use super::token::{REFRESH, WECHAT_CODE};
use crate::domain::Permission;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// RFC 8414 2.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    /// Required, and empty: there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
    /// An empty list is omitted (3.2).
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'a [&'a Permission],
}

pub(super) async fn metadata(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let keys = state.tokens.keys();
    let issuer = keys.issuer();
    let at = |path: &str| format!("{issuer}{path}");
    let metadata = Metadata {
        issuer,
        token_endpoint: at("/token"),
        jwks_uri: at("/.well-known/jwks.json"),
        response_types_supported: [],
        grant_types_supported: [REFRESH, WECHAT_CODE],
        token_endpoint_auth_methods_supported: ["none"],
        introspection_endpoint: at("/token/introspect"),
        introspection_endpoint_auth_methods_supported: [
            "client_secret_basic",
            "client_secret_post",
            "Bearer",
        ],
        revocation_endpoint: at("/token/revoke"),
        revocation_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        scopes_supported: &state.users.all_permissions(),
    };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(metadata))
}

/// If the issuer has a path, RFC 8414 3.1 puts it after the well-known part:
/// `https://example.com/.well-known/oauth-authorization-server/auth` for `https://example.com/auth`.
pub(super) async fn metadata_of_path(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let keys = HttpState::of(&request)?.tokens.keys();
    let path = url::Url::parse(keys.issuer()).map(|issuer| issuer.path().to_owned());
    let asked = format!("/{}", request.match_info().query("path"));
    if path != Ok(asked) {
        return Err(Problem::new(ErrorCode::NotFound));
    }
    metadata(request).await
}

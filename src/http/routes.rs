//! The route table.

use super::problem::{BackendProblem, ErrorCode, OAuthProblem, Problem};
use super::state::HttpState;
use super::{health, introspect, jwks, login, me, metadata, refresh, revoke, sessions, token, verify};
use actix_web::http::Method;
use actix_web::{Error, HttpRequest, Resource, Route, guard, web};
use std::convert::identity;
use std::future::ready;
use url::form_urlencoded;

/// Adds what [`AuthenticatedUser`](super::AuthenticatedUser) needs to an `App`.
pub fn extractor_state(state: &HttpState, cfg: &mut web::ServiceConfig) {
    cfg.app_data(state.tokens.clone());
}

/// Adds every route of weauth, relative to where it is mounted.
pub fn routes(state: &HttpState, cfg: &mut web::ServiceConfig) {
    cfg.app_data(state.tokens.clone()).app_data(state.clone());
    // Routes are tried in order: the most frequent first, those with a pattern last.
    cfg.service(get("/me", web::route().to(me::me)));
    cfg.service(answering_get(web::resource("/verify"), web::route().to(verify::verify)));
    cfg.service(post("/login", web::post().to(login::login)));
    cfg.service(post("/token/refresh", web::post().to(refresh::refresh)));
    cfg.service(post_telling("/token", web::post().to(token::token), OAuthProblem::from));
    let introspect = web::post().to(introspect::introspect);
    cfg.service(post_telling("/token/introspect", introspect, BackendProblem::from));
    cfg.service(post("/logout", web::post().to(sessions::logout)));
    cfg.service(get("/me/sessions", web::route().to(sessions::list)));
    cfg.service(post_telling("/token/revoke", web::post().to(revoke::revoke), BackendProblem::from));
    cfg.service(get("/.well-known/jwks.json", web::route().to(jwks::jwks)));
    cfg.service(get("/.well-known/oauth-authorization-server", web::route().to(metadata::metadata)));
    // Monitors may add query parameters as they like.
    cfg.service(answering_get(web::resource("/healthz"), web::route().to(health::healthz)));
    cfg.service(answering_get(web::resource("/readyz"), web::route().to(health::readyz)));
    cfg.service(delete("/me/sessions/{id}", web::delete().to(sessions::end)));
    cfg.service(web::resource("/verify/{path:.*}").to(verify::verify_below));
    let of_path = "/.well-known/oauth-authorization-server/{path:.+}";
    cfg.service(get(of_path, web::route().to(metadata::metadata_of_path)));
    cfg.default_service(web::to(not_found));
}

/// A resource that takes no query parameters for these methods: one that is present is reported, not ignored.
/// `told` converts the error to the form that the resource's clients read.
fn without_query<E: Into<Error> + 'static>(
    path: &str,
    methods: &'static [Method],
    told: fn(Problem) -> E,
) -> Resource {
    let refused = move |request: HttpRequest| ready(Err::<&str, E>(told(unknown_parameter(&request))));
    let has_query = move |ctx: &guard::GuardContext<'_>| {
        let head = ctx.head();
        head.uri.query().is_some_and(|query| !query.is_empty()) && methods.contains(&head.method)
    };
    web::resource(path.to_owned()).route(web::route().guard(guard::fn_guard(has_query)).to(refused))
}

fn unknown_parameter(request: &HttpRequest) -> Problem {
    let mut names = form_urlencoded::parse(request.query_string().as_bytes()).map(|(name, _)| name);
    Problem::unknown_parameter(&names.next().unwrap_or_default())
}

/// A resource that answers GET, and HEAD without the body.
fn get(path: &str, route: Route) -> Resource {
    answering_get(without_query(path, &[Method::GET, Method::HEAD], identity::<Problem>), route)
}

pub(super) fn answering_get(resource: Resource, route: Route) -> Resource {
    // Not actix's own method guards, which build a list of methods for each request.
    let reads = guard::fn_guard(|ctx| matches!(ctx.head().method, Method::GET | Method::HEAD));
    resource.route(route.guard(reads)).default_service(web::to(|| method_not_allowed("GET, HEAD")))
}

/// A resource that answers POST.
fn post(path: &str, route: Route) -> Resource {
    post_telling(path, route, identity::<Problem>)
}

/// A resource that answers POST, and reports query mistakes in another form than a problem.
fn post_telling<E: Into<Error> + 'static>(path: &str, route: Route, told: fn(Problem) -> E) -> Resource {
    without_query(path, &[Method::POST], told)
        .route(route)
        .default_service(web::to(|| method_not_allowed("POST")))
}

/// A resource that answers DELETE.
fn delete(path: &str, route: Route) -> Resource {
    without_query(path, &[Method::DELETE], identity::<Problem>)
        .route(route)
        .default_service(web::to(|| method_not_allowed("DELETE")))
}

async fn not_found() -> Result<&'static str, Problem> {
    Err(Problem::new(ErrorCode::NotFound))
}

async fn method_not_allowed(methods: &'static str) -> Result<&'static str, Problem> {
    Err(Problem::method_not_allowed(methods))
}

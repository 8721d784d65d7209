//! The token response of a login and a refresh.

use super::problem::Problem;
use super::user_view::UserView;
use crate::domain::Permission;
use crate::flows::Issued;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA};
use serde::Serialize;

/// RFC 6749 5.1, and the user.
#[derive(Serialize)]
struct TokenView<'a, P: Serialize> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: &'a str,
    refresh_expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    user: UserView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_error: Option<P>,
}

/// For our own clients, which find the permissions in `user`.
pub(super) fn render(issued: &Issued, phone_error: Option<&Problem>) -> HttpResponse {
    answer(issued, None, phone_error)
}

/// For standard OAuth clients, with the permissions as `scope`.
pub(super) fn render_with_scope(issued: &Issued) -> HttpResponse {
    let permissions: Vec<&str> = issued.user.permissions.iter().map(Permission::as_str).collect();
    let mut response = answer(issued, Some(permissions.join(" ")), None);
    // RFC 6749 5.1 requires both.
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn answer(issued: &Issued, scope: Option<String>, phone_error: Option<&Problem>) -> HttpResponse {
    let view = TokenView {
        access_token: issued.access_token.expose(),
        token_type: "Bearer",
        expires_in: issued.expires_in,
        refresh_token: issued.refresh_token.expose(),
        refresh_expires_in: issued.refresh_expires_in,
        scope,
        user: UserView::of(&issued.user.user, &issued.user.permissions, Some(issued.created)),
        phone_error: phone_error.map(Problem::to_body),
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(serde_json::to_vec(&view).unwrap_or_default())
}

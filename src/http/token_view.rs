//! The token response of a login and a refresh.

use super::answer::private_json;
use super::problem::Problem;
use super::user_view::UserView;
use crate::domain::scope;
use crate::flows::Issued;
use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, PRAGMA};
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
pub(super) fn render(issued: &Issued, phone_error: Option<&Problem>) -> Result<HttpResponse, Problem> {
    answer(issued, None, phone_error)
}

/// For standard OAuth clients, with the permissions as `scope`.
pub(super) fn render_with_scope(issued: &Issued) -> Result<HttpResponse, Problem> {
    let mut response = answer(issued, Some(scope(&issued.user.permissions)), None)?;
    // RFC 6749 5.1 requires both.
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn answer(
    issued: &Issued,
    scope: Option<String>,
    phone_error: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
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
    private_json(&view)
}

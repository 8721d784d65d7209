//! `GET /me`: the user of the token, as they are now.

use super::AuthenticatedUser;
use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use super::user_view::UserView;
use crate::domain::UserStatus;
use crate::tokens::StandingState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn me(request: HttpRequest, principal: AuthenticatedUser) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let known = state.users.find(&principal.id, principal.as_of).await?;
    let Some(known) = known else {
        state.tokens.refuse(&principal, StandingState::Gone);
        return Err(Problem::new(ErrorCode::TokenRevoked));
    };
    if known.user.status == UserStatus::Banned {
        state.tokens.refuse(&principal, StandingState::Banned);
        return Err(Problem::new(ErrorCode::UserBanned));
    }
    let body = known.rendered(|known| {
        serde_json::to_vec(&UserView::of(&known.user, &known.permissions, None)).unwrap_or_default()
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(body))
}

//! `POST /token/refresh`: exchanges a refresh token for new tokens.

use super::fields::Fields;
use super::problem::Problem;
use super::state::HttpState;
use super::token_view;
use crate::flows::RefreshRequest;
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn refresh(request: HttpRequest, fields: Fields) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let token = fields.required_text("refresh_token").unwrap_or_default().into();
    fields.check()?;
    let client = state.client_info(&request);
    let issued =
        state.sessions.refresh(RefreshRequest { token, app: None, scope: String::new(), client }).await?;
    token_view::render(&issued, None)
}

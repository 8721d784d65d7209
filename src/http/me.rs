//! `GET /me`: the user of the token, as they are now.

use super::AuthenticatedUser;
use super::answer::{private_rendered, to_json};
use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use super::user_view::UserView;
use crate::domain::UserStatus;
use crate::flows::KnownUser;
use crate::tokens::StandingState;
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
    let render = |known: &KnownUser| to_json(&UserView::of(&known.user, &known.permissions, None));
    Ok(private_rendered(known.rendered(render)?))
}

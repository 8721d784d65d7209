//! `POST /token/revoke` (RFC 7009): ends the session of a token.

use super::answer::private;
use super::api_key::ApiKeyForm;
use super::problem::BackendProblem;
use super::state::HttpState;
use crate::domain::{Actor, ApiScope};
use actix_web::{HttpRequest, HttpResponse};

/// Returns 200 even for an invalid token: to the caller it is as dead as a revoked one (RFC 7009 2.2).
pub(super) async fn revoke(request: HttpRequest, sent: ApiKeyForm) -> Result<HttpResponse, BackendProblem> {
    // Whoever holds a token can end its session without a key (`POST /logout`), so the introspection scope is
    // enough; and a key that may change users may end their sessions.
    let caller = &sent.caller;
    caller.require(ApiScope::TokensIntrospect).or_else(|_| caller.require(ApiScope::UsersWrite))?;
    let token = sent.fields.required_text("token").unwrap_or_default();
    sent.fields.check()?;
    let state = HttpState::of(&request)?;
    let by = Actor::api_key(caller.name(), state.client_ip(&request));
    state.token_revocation.revoke(token, by).await?;
    Ok(private().finish())
}

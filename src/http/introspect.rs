//! `POST /token/introspect` (RFC 7662): whether a token is active, and for whom.

use super::answer::private_json;
use super::api_key::ApiKeyForm;
use super::problem::BackendProblem;
use super::state::HttpState;
use crate::domain::{ApiScope, AppId, Role, SessionId, UserId, scope};
use crate::flows::ActiveToken;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// The response of RFC 7662 2.2, with `sid` and `roles` in addition to the registered members.
#[derive(Serialize)]
#[serde(untagged)]
enum IntrospectionView<'a> {
    Inactive {
        active: bool,
    },
    Access {
        active: bool,
        token_type: &'static str,
        iss: &'a str,
        sub: &'a UserId,
        aud: &'a AppId,
        client_id: &'a AppId,
        iat: i64,
        exp: i64,
        jti: &'a str,
        sid: &'a SessionId,
        roles: &'a [Role],
        scope: String,
    },
    /// Without `token_type`, which is for access tokens, and without `scope` and `aud`, so that nobody mistakes a
    /// refresh token for an access token.
    Refresh {
        active: bool,
        iss: &'a str,
        sub: &'a UserId,
        client_id: &'a AppId,
        exp: i64,
        sid: &'a SessionId,
    },
}

impl<'a> IntrospectionView<'a> {
    fn of(token: Option<&'a ActiveToken>, iss: &'a str) -> Self {
        match token {
            None => Self::Inactive { active: false },
            Some(ActiveToken::Access(principal)) => Self::Access {
                active: true,
                token_type: "Bearer",
                iss,
                sub: &principal.id,
                aud: &principal.appid,
                client_id: &principal.appid,
                iat: principal.issued_at.unix(),
                exp: principal.expires_at.unix(),
                jti: &principal.token_id,
                sid: &principal.session,
                roles: &principal.roles,
                scope: scope(&principal.permissions),
            },
            Some(ActiveToken::Refresh { user, app, session, expires_at }) => Self::Refresh {
                active: true,
                iss,
                sub: user,
                client_id: app,
                exp: expires_at.unix(),
                sid: session,
            },
        }
    }
}

pub(super) async fn introspect(
    request: HttpRequest,
    sent: ApiKeyForm,
) -> Result<HttpResponse, BackendProblem> {
    sent.caller.require(ApiScope::TokensIntrospect)?;
    let token = sent.fields.required_text("token").unwrap_or_default();
    sent.fields.check()?;
    let state = HttpState::of(&request)?;
    let active = state.introspection.introspect(token).await?;
    let keys = state.tokens.keys();
    Ok(private_json(&IntrospectionView::of(active.as_ref(), keys.issuer()))?)
}

//! `POST /logout`, `GET /me/sessions`, `DELETE /me/sessions/{id}`: a user's own sessions.

use super::AuthenticatedUser;
use super::answer::private_json;
use super::fields::Fields;
use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use crate::domain::{Actor, AppId, Session, SessionId, Time};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

/// A session in a response.
#[derive(Serialize)]
pub(super) struct SessionView<'a> {
    id: &'a SessionId,
    appid: &'a AppId,
    created_at: Time,
    last_used_at: Time,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    /// Whether it is the session of the requesting token. Absent for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<bool>,
}

pub(super) async fn list(request: HttpRequest, user: AuthenticatedUser) -> Result<HttpResponse, Problem> {
    let sessions = HttpState::of(&request)?.sessions.list(&user.id).await?;
    let view = |session| SessionView::of(session, Some(&user.session));
    let items: Vec<SessionView<'_>> = sessions.iter().map(view).collect();
    private_json(&json!({"items": items}))
}

impl<'a> SessionView<'a> {
    pub(super) fn of(session: &'a Session, current: Option<&SessionId>) -> Self {
        Self {
            id: &session.id,
            appid: &session.app,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            ip: session.ip.as_deref(),
            user_agent: session.user_agent.as_deref(),
            current: current.map(|current| session.id == *current),
        }
    }
}

pub(super) async fn end(
    request: HttpRequest,
    user: AuthenticatedUser,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let session = SessionId::parse(&id).ok_or_else(|| Problem::new(ErrorCode::NotFound))?;
    let state = HttpState::of(&request)?;
    let by = Actor::user(&user.id, state.client_ip(&request));
    let ended = state.sessions.end(&user.id, session, by).await?;
    if ended { Ok(HttpResponse::NoContent().finish()) } else { Err(Problem::new(ErrorCode::NotFound)) }
}

/// Ends the token's session, or all of the user's with `{"everywhere": true}`. The body is optional.
pub(super) async fn logout(
    request: HttpRequest,
    user: AuthenticatedUser,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let by = Actor::user(&user.id, state.client_ip(&request));
    let everywhere = if has_body(&request) {
        let fields = Fields::from_request(&request, &mut payload.into_inner()).await?;
        let everywhere = fields.optional_flag("everywhere");
        fields.check()?;
        everywhere
    } else {
        false
    };
    if everywhere {
        state.sessions.end_all(&user.id, by).await?;
    } else {
        state.sessions.end_certain(&user.id, user.session.clone(), by).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

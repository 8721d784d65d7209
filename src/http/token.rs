//! `POST /token`: the login and refresh of `/login` and `/token/refresh`, for standard OAuth clients (RFC 6749
//! 3.2). Takes a form and reports errors as in 5.2.

use super::authorization::{self, Credentials, Malformed};
use super::fields::{Accepts, Fields};
use super::login;
use super::problem::{ErrorCode, OAuthError, OAuthProblem, Problem};
use super::state::HttpState;
use super::token_view;
use crate::domain::AppId;
use crate::flows::{Issued, RefreshRequest};
use actix_web::{HttpRequest, HttpResponse, web};

/// RFC 6749 6.
pub(super) const REFRESH: &str = "refresh_token";

/// The extension grant (RFC 6749 4.5) whose `code` comes from `wx.login`.
pub(super) const WECHAT_CODE: &str = "urn:weauth:params:oauth:grant-type:wechat-code";

pub(super) async fn token(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, OAuthProblem> {
    let fields = Fields::read(&request, &mut payload.into_inner(), Accepts::OAuthForm).await?;
    let state = HttpState::of(&request)?;
    let client = client_id(&request, &fields)?;
    let grant = fields.required_text("grant_type");
    let issued = match grant {
        Some(REFRESH) => refresh(&request, &fields, state, client).await?,
        Some(WECHAT_CODE) => {
            let login = login::read(&request, &fields, state, ("client_id", client.as_deref()))?;
            state.login_brake.take(login.client.ip).map_err(Problem::rate_limited)?;
            state.sign_in.sign_in(login).await?
        }
        _ => {
            fields.check()?;
            let supported = (
                format!("must be `{REFRESH}` or `{WECHAT_CODE}`"),
                format!("必须是 `{REFRESH}` 或 `{WECHAT_CODE}`"),
            );
            let problem = Problem::field("grant_type", supported);
            return Err(problem.named_in_oauth(OAuthError::UnsupportedGrantType).into());
        }
    };
    Ok(token_view::render_with_scope(&issued)?)
}

async fn refresh(
    request: &HttpRequest,
    fields: &Fields,
    state: &HttpState,
    client: Option<String>,
) -> Result<Issued, Problem> {
    let token = fields.required_text("refresh_token").unwrap_or_default().into();
    fields.check()?;
    // A token is invalid for a client that it was not issued to (RFC 6749 5.2), whether that client exists or not.
    let app = client.map(|client| AppId::parse(&client)).transpose();
    let app = app.map_err(|_| Problem::new(ErrorCode::RefreshTokenInvalid))?;
    let scope = fields.optional_text("scope").unwrap_or_default().to_owned();
    let client = state.client_info(request);
    Ok(state.sessions.refresh(RefreshRequest { token, app, scope, client }).await?)
}

/// The client's id: `client_id`, or the user name of HTTP Basic with an empty password, as many libraries send it.
/// A mini-program is a public client (RFC 6749 2.1) and has no secret to present.
fn client_id(request: &HttpRequest, fields: &Fields) -> Result<Option<String>, Problem> {
    let named = fields.optional_text("client_id").map(str::to_owned);
    let basic = basic(request).map_err(refused)?;
    let has_password = basic.as_ref().is_some_and(|(_, password)| !password.is_empty());
    if has_password || fields.optional_text("client_secret").is_some() {
        return Err(refused((
            "a mini-program shows no secret here; the AppSecret is the server's alone",
            "小程序在此不得提交密钥；AppSecret 只应存在于服务器上",
        )));
    }
    match (named, basic) {
        (Some(named), Some((other, _))) if named != other => {
            let other = ("is not the one of the Authorization header", "与 Authorization 请求头中的不一致");
            Err(Problem::field("client_id", other))
        }
        (Some(id), _) | (None, Some((id, _))) => Ok(Some(id)),
        (None, None) => Ok(None),
    }
}

/// The user and password of HTTP Basic; any other credentials are not meant for this call.
fn basic(request: &HttpRequest) -> Result<Option<(String, String)>, (&'static str, &'static str)> {
    match authorization::of(request) {
        Ok(Some(Credentials::Basic { user, password })) => Ok(Some((user, password))),
        Ok(_) => Ok(None),
        Err(Malformed::Repeated) => {
            Err(("the Authorization header is given more than once", "Authorization 请求头重复"))
        }
        Err(Malformed::Unreadable) => {
            Err(("the Authorization header is not HTTP Basic", "Authorization 请求头不是 HTTP Basic"))
        }
    }
}

/// A client whose credentials are not accepted.
fn refused(why: (&'static str, &'static str)) -> Problem {
    Problem::with_detail(ErrorCode::InvalidRequest, why).named_in_oauth(OAuthError::InvalidClient)
}

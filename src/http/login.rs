//! `POST /login`: a code of `wx.login` for tokens.

use super::fields::Fields;
use super::problem::{ErrorCode, Problem};
use super::routes::HttpState;
use super::user_view::UserView;
use crate::domain::{AppId, ClientInfo, IdempotencyKey, LoginCode, MAX_USER_AGENT};
use crate::flows::{SignInRequest, SignedIn};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

/// The answer to a login (RFC 6749 5.1, and the user).
#[derive(Serialize)]
struct LoginView<'a, P: Serialize> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: &'a str,
    refresh_expires_in: i64,
    user: UserView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_error: Option<P>,
}

pub(super) async fn login(request: HttpRequest, fields: Fields) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let login = read(&request, &fields, state)?;
    let signed_in = state.sign_in.sign_in(login).await?;
    let phone_error = fields.optional_text("phone_code").map(|_| {
        Problem::with_detail(ErrorCode::NotFound, "this server does not bind phone numbers")
            .addressed_to(&request)
    });
    Ok(render(&signed_in, phone_error.as_ref()))
}

fn read(request: &HttpRequest, fields: &Fields, state: &HttpState) -> Result<SignInRequest, Problem> {
    let app = app_of(fields, state);
    let code = fields.required_text("code").map(LoginCode::parse);
    fields.optional_text("phone_code");
    let idempotency_key = idempotency_key(request, fields);
    if let Some(Err(invalid)) = &code
        && *invalid != crate::domain::InvalidCode::Mock
    {
        fields.mistake("code", invalid.to_string());
    }
    fields.check()?;
    let app = app?;
    match code {
        Some(Ok(code)) => {
            Ok(SignInRequest { app, code, idempotency_key, client: client_info(request, state) })
        }
        Some(Err(mock)) => Err(Problem::with_detail(ErrorCode::WechatCodeInvalid, format!("`code` {mock}"))),
        None => Err(Problem::field("code", "is missing")),
    }
}

/// The mini-program: named by the request, or the only one there is.
fn app_of(fields: &Fields, state: &HttpState) -> Result<AppId, Problem> {
    let served = &state.apps;
    match (fields.optional_text("appid"), served.as_slice()) {
        (Some(given), _) => served
            .iter()
            .find(|app| app.as_str() == given)
            .cloned()
            .ok_or_else(|| Problem::new(ErrorCode::UnknownApp)),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Problem::field("appid", "is missing: this server serves several mini-programs")),
    }
}

fn idempotency_key(request: &HttpRequest, fields: &Fields) -> Option<IdempotencyKey> {
    let header = request.headers().get("idempotency-key")?;
    let key = header.to_str().ok().and_then(IdempotencyKey::parse);
    if key.is_none() {
        fields.mistake("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
    }
    key
}

pub(super) fn client_info(request: &HttpRequest, state: &HttpState) -> ClientInfo {
    let user_agent = request.headers().get(USER_AGENT).map(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .chars()
            .filter(|c| *c != '\0')
            .take(MAX_USER_AGENT)
            .collect()
    });
    ClientInfo { ip: state.client_ip(request), user_agent }
}

fn render(signed_in: &SignedIn, phone_error: Option<&Problem>) -> HttpResponse {
    let view = LoginView {
        access_token: signed_in.access_token.expose(),
        token_type: "Bearer",
        expires_in: signed_in.expires_in,
        refresh_token: signed_in.refresh_token.expose(),
        refresh_expires_in: signed_in.refresh_expires_in,
        user: UserView::of(&signed_in.user, Some(signed_in.created)),
        phone_error: phone_error.map(Problem::to_body),
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(serde_json::to_vec(&view).unwrap_or_default())
}

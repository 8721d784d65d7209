//! `POST /login`: exchanges a code of `wx.login` for tokens.

use super::fields::Fields;
use super::problem::{ErrorCode, MISSING, Problem};
use super::state::HttpState;
use super::token_view;
use crate::domain::{AppId, ClientInfo, IdempotencyKey, InvalidCode, LoginCode, MAX_USER_AGENT};
use crate::flows::SignInRequest;
use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn login(request: HttpRequest, fields: Fields) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let wants_phone = fields.optional_text("phone_code").is_some();
    let login = read(&request, &fields, state, ("appid", fields.optional_text("appid")))?;
    // Thousands may wait for WeChat at once; none of them needs to keep its request body.
    drop(fields);
    let signed_in = state.sign_in.sign_in(login).await?;
    let phone_error = wants_phone.then(|| {
        Problem::with_detail(
            ErrorCode::NotFound,
            ("this server does not bind phone numbers", "本服务器不支持绑定手机号"),
        )
        .addressed_to(&request)
    });
    Ok(token_view::render(&signed_in, phone_error.as_ref()))
}

/// Reads a login from `/login` or `/token`. `app` is the field that names the mini-program, and its value.
pub(super) fn read(
    request: &HttpRequest,
    fields: &Fields,
    state: &HttpState,
    app: (&str, Option<&str>),
) -> Result<SignInRequest, Problem> {
    let app = app_of(app, fields, state);
    let code = fields.required_text("code").map(LoginCode::parse);
    let idempotency_key = idempotency_key(request, fields);
    if let Some(Err(invalid)) = &code
        && *invalid != InvalidCode::Mock
    {
        fields.mistake("code", told(*invalid));
    }
    fields.check()?;
    let app = app?;
    match code {
        Some(Ok(code)) => {
            let client = client_info(request, state);
            state.login_brake.take(client.ip).map_err(Problem::rate_limited)?;
            Ok(SignInRequest { app, code, idempotency_key, client })
        }
        Some(Err(mock)) => {
            let (english, chinese) = told(mock);
            let detail = (format!("`code` {english}"), format!("`code` {chinese}"));
            Err(Problem::with_detail(ErrorCode::WechatCodeInvalid, detail))
        }
        None => Err(Problem::field("code", MISSING)),
    }
}

/// What is wrong with a code, in both languages.
fn told(invalid: InvalidCode) -> (String, String) {
    let chinese = match invalid {
        InvalidCode::Empty => "为空：请发送 wx.login 返回的 code",
        InvalidCode::TooLong => "超过 512 个字符",
        InvalidCode::Characters => "含有 wx.login 的 code 中不会出现的字符",
        InvalidCode::Mock => {
            "是开发者工具在没有 appid 时给出的模拟 code：请在 project.config.json 中填写 appid"
        }
    };
    (invalid.to_string(), chinese.to_owned())
}

/// The mini-program: the one that the request names, or the only one there is.
fn app_of(
    (field, given): (&str, Option<&str>),
    fields: &Fields,
    state: &HttpState,
) -> Result<AppId, Problem> {
    let served = &state.apps;
    match (given, served.as_slice()) {
        (Some(given), _) => served
            .iter()
            .find(|app| app.as_str() == given)
            .cloned()
            .ok_or_else(|| Problem::new(ErrorCode::UnknownApp)),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            let which =
                ("is missing: this server serves several mini-programs", "缺失：本服务器服务于多个小程序");
            fields.mistake(field, which);
            Err(Problem::field(field, which))
        }
    }
}

fn idempotency_key(request: &HttpRequest, fields: &Fields) -> Option<IdempotencyKey> {
    let mut headers = request.headers().get_all("idempotency-key");
    let header = headers.next()?;
    let key = header.to_str().ok().filter(|_| headers.next().is_none()).and_then(IdempotencyKey::parse);
    if key.is_none() {
        let form = ("must be 1 to 255 visible ASCII characters", "必须是 1 至 255 个可见的 ASCII 字符");
        fields.mistake("Idempotency-Key", form);
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

//! `POST /login`: exchanges a code of `wx.login` for tokens.

use super::fields::Fields;
use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use super::token_view;
use crate::domain::{AppId, IdempotencyKey, InvalidCode, LoginCode};
use crate::flows::SignInRequest;
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn login(request: HttpRequest, fields: Fields) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    let wants_phone = fields.optional_text("phone_code").is_some();
    let login = read(&request, &fields, state, ("appid", fields.optional_text("appid")))?;
    state.login_brake.take(login.client.ip).map_err(Problem::rate_limited)?;
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
    token_view::render(&signed_in, phone_error.as_ref())
}

/// Reads a login from `/login` or `/token`. `app` is the field that names the mini-program, and its value.
pub(super) fn read(
    request: &HttpRequest,
    fields: &Fields,
    state: &HttpState,
    app: (&str, Option<&str>),
) -> Result<SignInRequest, Problem> {
    let app = app_of(app, fields, state);
    let given = fields.required_text("code");
    let idempotency_key = idempotency_key(request, fields);
    let code = LoginCode::parse(given.unwrap_or_default());
    if let (Some(_), Err(invalid)) = (given, &code)
        && *invalid != InvalidCode::Mock
    {
        fields.mistake("code", told(*invalid));
    }
    fields.check()?;
    let app = app.ok_or_else(|| Problem::new(ErrorCode::UnknownApp))?;
    let code = code.map_err(|mock| {
        let (english, chinese) = told(mock);
        let detail = (format!("`code` {english}"), format!("`code` {chinese}"));
        Problem::with_detail(ErrorCode::WechatCodeInvalid, detail)
    })?;
    Ok(SignInRequest { app: app.clone(), code, idempotency_key, client: state.client_info(request) })
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

/// The mini-program: the one that the request names, if it is served here, or the only one there is.
fn app_of<'a>(
    (field, given): (&str, Option<&str>),
    fields: &Fields,
    state: &'a HttpState,
) -> Option<&'a AppId> {
    match (given, &state.tokens.served()[..]) {
        (Some(given), served) => served.iter().find(|app| app.as_str() == given),
        (None, [only]) => Some(only),
        (None, _) => {
            let which =
                ("is missing: this server serves several mini-programs", "缺失：本服务器服务于多个小程序");
            fields.mistake(field, which);
            None
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

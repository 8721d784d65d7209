//! `/simulator/apps`, `/simulator/users`, `/simulator/session-keys` and `/simulator/access-tokens`.

use super::{Answer, ControlError, app_of, parse, require_user_name};
use crate::shared::lock;
use crate::wechat::simulator::apps::AppChange;
use crate::wechat::simulator::identities::{ProfileChange, openid, unionid};
use crate::wechat::simulator::state::State;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Path};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What to do with a key or a token.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Rotate,
    Expire,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnSessionKey {
    user: String,
    appid: Option<String>,
    action: Action,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnAccessToken {
    appid: Option<String>,
    action: Action,
}

/// Rotates or expires a user's session key, unexpectedly for the client.
pub(super) async fn session_keys(state: Data<State>, body: Bytes) -> Answer {
    let order: TurnSessionKey = parse(&body)?;
    require_user_name(&order.user)?;
    let app = app_of(&state, order.appid.as_deref())?;
    let openid = openid(&app.appid, &order.user);
    match order.action {
        Action::Rotate => _ = app.session_keys.rotate(&openid, &order.user, state.now()),
        Action::Expire => app.session_keys.expire(&openid, &order.user, state.now()),
    }
    Ok(HttpResponse::Ok().json(json!({
        "appid": app.appid, "user": order.user, "openid": openid, "action": order.action,
    })))
}

/// Rotates or expires an app's access tokens, unexpectedly for the client.
pub(super) async fn access_tokens(state: Data<State>, body: Bytes) -> Answer {
    let order: TurnAccessToken = parse(&body)?;
    let app = app_of(&state, order.appid.as_deref())?;
    match order.action {
        Action::Rotate => lock(&app.tokens).rotate(state.now()),
        Action::Expire => lock(&app.tokens).expire(),
    }
    Ok(HttpResponse::Ok().json(json!({"appid": app.appid, "action": order.action})))
}

/// Changes a user's profile.
pub(super) async fn change_user(state: Data<State>, user: Path<String>, body: Bytes) -> Answer {
    let change: ProfileChange = parse(&body)?;
    require_user_name(&user)?;
    if !change.is_sound() {
        return Err(ControlError::Invalid("`country_code` is a text or a number".to_owned()));
    }
    let profile = state.change_profile(&user, |profile| change.apply(profile));
    Ok(HttpResponse::Ok().json(json!({
        "user": *user, "unionid": unionid(&user), "profile": profile,
    })))
}

/// Changes an app's secret or its switches.
pub(super) async fn change_app(state: Data<State>, appid: Path<String>, body: Bytes) -> Answer {
    let change: AppChange = parse(&body)?;
    if !change.is_sound() {
        let what = "`key_rotation_seconds` is 0 or more, `phone_openid_errcode` any errcode but 0";
        return Err(ControlError::Invalid(what.to_owned()));
    }
    let app = app_of(&state, Some(&appid))?;
    app.change(change);
    Ok(HttpResponse::Ok().json(json!({"appid": app.appid, "switches": app.switches()})))
}

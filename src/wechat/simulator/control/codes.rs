//! `POST /simulator/codes`.

use super::{Answer, ControlError, app_of, parse, require_user_name};
use crate::shared::read;
use crate::wechat::simulator::codes::{Issued, LIFETIME};
use crate::wechat::simulator::identities::openid;
use crate::wechat::simulator::spelled::Kind;
use crate::wechat::simulator::state::State;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde::Deserialize;
use serde_json::json;

/// A year, longer than any code needs to be valid.
const MAX_LIFETIME: i64 = 366 * 86400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueCode {
    user: String,
    appid: Option<String>,
    #[serde(default)]
    kind: Kind,
    expires_in: Option<i64>,
    phone: Option<String>,
}

/// Issues a code, like `wx.login` or the phone button.
pub(super) async fn issue(state: Data<State>, body: Bytes) -> Answer {
    let order: IssueCode = parse(&body)?;
    require_user_name(&order.user)?;
    let app = app_of(&state, order.appid.as_deref())?;
    let expires_in = order.expires_in.unwrap_or(LIFETIME);
    if !(0..=MAX_LIFETIME).contains(&expires_in) {
        return Err(ControlError::Invalid("`expires_in` is from 0 seconds to a year".to_owned()));
    }
    let now = state.now();
    let issued = Issued {
        kind: order.kind,
        appid: app.appid.clone(),
        user: order.user.clone(),
        phone: order.phone,
        expires_at: now + expires_in,
    };
    let code = read(&state.codes).issue(issued, now);
    Ok(HttpResponse::Ok().json(json!({
        "code": code,
        "kind": order.kind,
        "user": order.user,
        "appid": app.appid,
        "openid": openid(&app.appid, &order.user),
        "expires_in": expires_in,
    })))
}

//! `POST /cgi-bin/stable_token` and `GET /cgi-bin/token`.

use super::{Call, require};
use crate::shared::lock;
use crate::wechat::simulator::access_tokens::Granted;
use crate::wechat::simulator::apps::App;
use crate::wechat::simulator::state::State;
use crate::wechat::simulator::wire::{Errcode, Outcome};
use serde_json::Value;
use std::sync::Arc;

/// The stable token: the same for all callers until it is about to expire.
pub(super) fn stable_token(state: &State, call: &Call<'_>) -> Outcome {
    let body = call.body.as_ref().map_err(|errcode| *errcode)?;
    if !body.is_object() {
        return Err(47001);
    }
    let app = authorised(state, call.text("grant_type"), call.text("appid"), call.text("secret"))?;
    let force = body.get("force_refresh").and_then(Value::as_bool).unwrap_or(false);
    let granted = lock(&app.tokens).stable(force, call.asked.now)?;
    Ok(answer(&granted))
}

/// The legacy token: a new one for every call.
pub(super) fn legacy_token(state: &State, call: &Call<'_>) -> Outcome {
    let query = &call.query;
    let app = authorised(state, &query.grant_type, &query.appid, &query.secret)?;
    let granted = lock(&app.tokens).legacy(call.asked.now)?;
    Ok(answer(&granted))
}

fn authorised(state: &State, grant_type: &str, appid: &str, secret: &str) -> Result<Arc<App>, Errcode> {
    require(appid, 41002)?;
    require(secret, 41004)?;
    if grant_type != "client_credential" {
        return Err(40002);
    }
    let app = state.apps.get(appid).ok_or(40013)?;
    app.check_secret(secret)?;
    Ok(app)
}

fn answer((token, expires_in): &Granted) -> String {
    format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#)
}

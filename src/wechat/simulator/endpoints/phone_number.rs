//! `POST /wxa/business/getuserphonenumber`.

use super::{Call, require};
use crate::shared::read;
use crate::wechat::simulator::codes::Refused;
use crate::wechat::simulator::identities::{Profile, openid};
use crate::wechat::simulator::spelled::Kind;
use crate::wechat::simulator::state::State;
use crate::wechat::simulator::wire::Outcome;
use serde_json::{Value, json};

/// The phone number of a code. An error does not use up the code, unless it is due to another user's openid.
pub(super) fn phone_number(state: &State, call: &Call<'_>) -> Outcome {
    let body = call.body.as_ref().map_err(|errcode| *errcode)?;
    require(&call.query.access_token, 41001)?;
    let app = state.apps.of_token(&call.query.access_token, call.asked.now)?;
    if !body.is_object() {
        return Err(47001);
    }
    let code = call.text("code");
    require(code, 40029)?;
    let redeemed = read(&state.codes).redeem(code, Kind::Phone, &app.appid, false, call.asked.now).map_err(
        |refused| match refused {
            Refused::Invalid | Refused::Used => 40029,
            Refused::OtherApp => 40013,
        },
    )?;
    let given = call.text("openid");
    if !given.is_empty() && given != openid(&app.appid, &redeemed.user) {
        return Err(app.switches().phone_openid_errcode);
    }
    let mut profile = state.profile(&redeemed.user);
    profile.phone = redeemed.phone.unwrap_or(profile.phone);
    let mut info = phone_info(&profile);
    info["watermark"] = json!({"timestamp": call.asked.now, "appid": app.appid});
    Ok(json!({"errcode": 0, "errmsg": "ok", "phone_info": info}).to_string())
}

/// The number in WeChat's format: `phoneNumber` includes the country code of foreign numbers only.
fn phone_info(profile: &Profile) -> Value {
    let country_code = match &profile.country_code {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = match country_code.as_str() {
        "86" => profile.phone.clone(),
        _ => format!("+{country_code}{}", profile.phone),
    };
    json!({
        "phoneNumber": number,
        "purePhoneNumber": profile.phone,
        "countryCode": profile.country_code,
    })
}

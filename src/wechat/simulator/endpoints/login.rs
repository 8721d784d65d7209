//! `GET /sns/jscode2session`.

use super::{Call, require};
use crate::shared::read;
use crate::wechat::simulator::codes::Refused;
use crate::wechat::simulator::identities::unionid;
use crate::wechat::simulator::spelled::Kind;
use crate::wechat::simulator::state::State;
use crate::wechat::simulator::wire::Outcome;

/// Exchanges a code. Only parameters in the query count: with parameters in a POST body the answer is 41002.
pub(super) fn code_to_session(state: &State, call: &Call<'_>) -> Outcome {
    let query = &call.query;
    require(&query.appid, 41002)?;
    require(&query.secret, 41004)?;
    require(&query.js_code, 41008)?;
    if query.grant_type != "authorization_code" {
        return Err(40002);
    }
    let app = state.apps.get(&query.appid).ok_or(40013)?;
    app.check_secret(&query.secret)?;
    let switches = app.switches();
    let now = call.asked.now;
    let redeemed = read(&state.codes)
        .redeem(&query.js_code, Kind::Login, &app.appid, switches.burn_on_wrong_app, now)
        .map_err(|refused| match refused {
            Refused::Invalid | Refused::OtherApp => 40029,
            Refused::Used => 40163,
        })?;
    let standing = state.standing(&app, &redeemed.user);
    if standing.blocked {
        return Err(40226);
    }
    let period = switches.key_rotation_seconds;
    let session_key = app.session_keys.sign_in(&standing.openid, &redeemed.user, now, period);
    let session_key = if switches.legacy_expires_in { session_key.replace('/', r"\/") } else { session_key };
    Ok(in_any_order(state.noise.next(), |fields| {
        fields.push(format!(r#""session_key":"{session_key}""#));
        fields.push(format!(r#""openid":"{}""#, standing.openid));
        if standing.unionid {
            fields.push(format!(r#""unionid":"{}""#, unionid(&redeemed.user)));
        }
        if switches.legacy_expires_in {
            fields.push(r#""expires_in":7200"#.to_owned());
        }
    }))
}

/// A JSON object with its fields in an order that varies from call to call, as with WeChat.
fn in_any_order(random: u64, write: impl FnOnce(&mut Vec<String>)) -> String {
    let mut fields = Vec::with_capacity(4);
    write(&mut fields);
    let count = fields.len();
    for i in (1..count).rev() {
        fields.swap(i, (random >> (8 * i)) as usize % (i + 1));
    }
    format!("{{{}}}", fields.join(","))
}

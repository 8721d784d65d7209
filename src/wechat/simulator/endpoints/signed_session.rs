//! The endpoints where the caller proves possession of a session key without sending it: `/wxa/checksession`,
//! `/wxa/resetusersessionkey` and `/wxa/business/getuserencryptkey`.

use super::{Call, require};
use crate::crypto::{MacKey, hex, hmac_sha256_hex, same_secret};
use crate::wechat::simulator::apps::App;
use crate::wechat::simulator::state::State;
use crate::wechat::simulator::wire::{Errcode, Outcome};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::Arc;

/// Lifetime of an encryption key, in seconds.
const ENCRYPT_KEY_LIFETIME: i64 = 3600;

/// Was the call signed with the user's valid key?
pub(super) fn check_session(state: &State, call: &Call<'_>) -> Outcome {
    signed(state, call, 87009)?;
    Ok(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
}

/// Replaces the session key; the new one inherits the age of the old one.
pub(super) fn reset_session_key(state: &State, call: &Call<'_>) -> Outcome {
    let app = signed(state, call, 87007)?;
    let openid = &*call.query.openid;
    let session_key = app.session_keys.reset(openid).ok_or(87007)?;
    Ok(json!({"errcode": 0, "errmsg": "ok", "openid": openid, "session_key": session_key}).to_string())
}

/// The three newest encryption keys; the older two have expired, as each is valid for one hour.
pub(super) fn encrypt_keys(state: &State, call: &Call<'_>) -> Outcome {
    let app = signed(state, call, 87007)?;
    let now = call.asked.now;
    let newest = now.div_euclid(ENCRYPT_KEY_LIFETIME);
    let key = |version: i64| {
        let seed = format!("{}\n{}\n{version}", app.appid, call.query.openid);
        let digest = MacKey::from_bytes(b"encrypt key").sign(seed.as_bytes());
        let (key, iv) = digest.as_ref().split_at(16);
        let create_time = version * ENCRYPT_KEY_LIFETIME;
        json!({
            "encrypt_key": STANDARD.encode(key),
            "iv": hex(&iv[..8]),
            "version": version,
            "expire_in": (create_time + ENCRYPT_KEY_LIFETIME - now).max(0),
            "create_time": create_time,
        })
    };
    let keys: Vec<_> = [newest, newest - 1, newest - 2].into_iter().map(key).collect();
    Ok(json!({"errcode": 0, "errmsg": "ok", "key_info_list": keys}).to_string())
}

/// Checks the access token and the signature, an HMAC over the empty string, in lowercase hex, keyed with the
/// session key in base64. `dead` is the errcode for a user without a valid key.
fn signed(state: &State, call: &Call<'_>, dead: Errcode) -> Result<Arc<App>, Errcode> {
    let query = &call.query;
    require(&query.access_token, 41001)?;
    let app = state.apps.of_token(&query.access_token, call.asked.now)?;
    require(&query.openid, 40003)?;
    if query.sig_method != "hmac_sha256" {
        return Err(87008);
    }
    app.session_keys.user(&query.openid).ok_or(40003)?;
    let session_key = app.session_keys.current(&query.openid).ok_or(dead)?;
    let expected = hmac_sha256_hex(session_key.as_bytes(), b"");
    if same_secret(expected.as_bytes(), query.signature.as_bytes()) { Ok(app) } else { Err(87009) }
}

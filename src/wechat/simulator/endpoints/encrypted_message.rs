//! `POST /wxa/business/checkencryptedmsg`.

use super::{Call, require};
use crate::wechat::simulator::state::{CIPHERTEXT_KNOWN, State};
use crate::wechat::simulator::wire::Outcome;
use serde_json::json;

/// Did WeChat create this encrypted phone data within the last three days? (`vaild` is WeChat's spelling.)
pub(super) fn check(state: &State, call: &Call<'_>) -> Outcome {
    call.body.as_ref().map_err(|errcode| *errcode)?;
    require(&call.query.access_token, 41001)?;
    state.apps.of_token(&call.query.access_token, call.asked.now)?;
    let hash = call.text("encrypted_msg_hash");
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(40097);
    }
    let made_at = state.ciphertexts.of(hash).entries().get(hash).copied();
    let made_at = made_at.filter(|made_at| call.asked.now - made_at < CIPHERTEXT_KNOWN).ok_or(1)?;
    Ok(json!({"errcode": 0, "errmsg": "ok", "vaild": true, "create_time": made_at}).to_string())
}

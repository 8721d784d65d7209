//! `POST /simulator/open-data`: the counterpart of `wx.getUserInfo` and similar functions.

use super::{Answer, ControlError, app_of, parse, require_user_name};
use crate::crypto::{random_bytes, sha256_hex};
use crate::domain::SessionKey;
use crate::wechat::open_data::{EncryptedData, OpenDataError, raw_data_signature};
use crate::wechat::simulator::apps::App;
use crate::wechat::simulator::identities::{openid, unionid};
use crate::wechat::simulator::state::{CIPHERTEXT_KNOWN, State};
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The session key to encrypt with.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhichKey {
    #[default]
    Current,
    Previous,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptOpenData {
    user: String,
    appid: Option<String>,
    data: Option<Map<String, Value>>,
    #[serde(default)]
    key: WhichKey,
    timestamp: Option<i64>,
    watermark_appid: Option<String>,
}

/// What the mini-program would get: the encrypted data, and its public part, signed.
pub(super) async fn encrypt(state: Data<State>, body: Bytes) -> Answer {
    let order: EncryptOpenData = parse(&body)?;
    require_user_name(&order.user)?;
    let app = app_of(&state, order.appid.as_deref())?;
    let now = state.now();
    let key = session_key(&app, &order, now)?;
    let mut fields = order.data.unwrap_or_else(|| default_data(&state, &app, &order.user));
    let raw_data = Value::Object(open_part(&fields)).to_string();
    let watermark = json!({
        "timestamp": order.timestamp.unwrap_or(now),
        "appid": order.watermark_appid.as_deref().unwrap_or(&app.appid),
    });
    fields.entry("watermark").or_insert(watermark);
    let is_phone = fields.contains_key("phoneNumber");
    let plain = Value::Object(fields).to_string();
    let EncryptedData { encrypted_data, iv } =
        crate::wechat::open_data::encrypt(plain.as_bytes(), &key, random_bytes())
            .map_err(|OpenDataError| ControlError::Invalid("the session key is no AES key".to_owned()))?;
    if is_phone {
        remember(&state, sha256_hex(encrypted_data.as_bytes()), now);
    }
    Ok(HttpResponse::Ok().json(json!({
        "encryptedData": encrypted_data,
        "iv": iv,
        "signature": raw_data_signature(&raw_data, &key),
        "rawData": raw_data,
    })))
}

fn session_key(app: &App, order: &EncryptOpenData, now: i64) -> Result<SessionKey, ControlError> {
    let openid = openid(&app.appid, &order.user);
    let key = match order.key {
        // A user who never signed in signs in now, as with `wx.login`.
        WhichKey::Current => Some(app.session_keys.sign_in(&openid, &order.user, now, i64::MAX)),
        WhichKey::Previous => app.session_keys.previous(&openid),
    };
    let missing = || ControlError::Invalid("there is no previous key: rotate it first".to_owned());
    key.and_then(|key| SessionKey::parse(&key)).ok_or_else(missing)
}

/// The anonymous profile that WeChat returns since 2022, with the ids.
fn default_data(state: &State, app: &App, user: &str) -> Map<String, Value> {
    let standing = state.standing(app, user);
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| data.insert(key.to_owned(), value);
    put("openId", standing.openid.into());
    put("nickName", "微信用户".into());
    put("gender", 0.into());
    for empty in ["language", "city", "province", "country"] {
        put(empty, "".into());
    }
    put("avatarUrl", "https://thirdwx.qlogo.cn/mmopen/vi_32/simulated/132".into());
    if standing.unionid {
        put("unionId", unionid(user).into());
    }
    data
}

/// `rawData` is the data without the user's ids and the watermark.
fn open_part(fields: &Map<String, Value>) -> Map<String, Value> {
    let hidden = ["openId", "unionId", "watermark"];
    let open = |(key, _): &(&String, &Value)| !hidden.contains(&key.as_str());
    fields.iter().filter(open).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `checkencryptedmsg` knows phone data for three days.
fn remember(state: &State, hash: String, now: i64) {
    let mut shard = state.ciphertexts.of(&hash);
    shard.make_room(|made_at| now - made_at < CIPHERTEXT_KNOWN);
    shard.entries().insert(hash, now);
}

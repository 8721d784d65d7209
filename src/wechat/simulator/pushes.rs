//! Message pushes in WeChat's format: the URL check, plain and secure mode, JSON and XML, and oddities
//! observed in practice.

use super::delivery::{Body, Request};
use crate::crypto::random_bytes;
use crate::domain::AppId;
use crate::wechat::push::{EncodingAesKey, InvalidEncodingAesKey, encrypt, message_signature, url_signature};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt::Write;
use url::Url;

/// All events come from the same sender, whichever user they concern.
const PUSHER: &str = "oPusher000000000000000000000";

/// The format of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// The console's default for mini-programs.
    #[default]
    Json,
    /// The older format.
    Xml,
}

/// A push requested through the control API.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushOrder {
    /// The target URL.
    pub(super) url: String,
    /// The Token set in the console.
    token: String,
    /// The EncodingAESKey set in the console; if given, the push is encrypted.
    aes_key: Option<String>,
    /// The format.
    #[serde(default)]
    format: Format,
    /// `user_info_modified`, `user_authorization_revoke`, `user_authorization_cancellation`, or any other; if
    /// absent, the URL check.
    pub(super) event: Option<String>,
    /// The app it concerns.
    pub(super) appid: Option<String>,
    /// The user it concerns.
    pub(super) user: Option<String>,
    /// Other fields, which override those with the same name.
    #[serde(default)]
    fields: Map<String, Value>,
    /// Overrides the content type, which WeChat sets to `text/xml` even for JSON.
    content_type: Option<String>,
    /// Adds spaces to keys and values, as in WeChat's own samples.
    #[serde(default)]
    stray_spaces: bool,
    /// Omits `OpenID`.
    #[serde(default)]
    omit_openid: bool,
    /// Signs with a wrong token.
    #[serde(default)]
    forged: bool,
    /// A wrong appid inside the ciphertext.
    encrypted_appid: Option<String>,
    /// Sends it again even though it was answered.
    #[serde(default)]
    pub(super) duplicate: bool,
    /// The timeout in milliseconds; 5000 if absent.
    pub(super) timeout_ms: Option<u64>,
}

/// The app and the user that a push concerns.
pub(super) struct Subject {
    pub(super) app: AppId,
    pub(super) openid: Option<String>,
}

/// Why a request is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidPush {
    #[error("`url` is not an http:// URL")]
    Url,
    #[error("`content_type` is no value of a header")]
    ContentType,
    #[error("`encrypted_appid` is not an appid")]
    App,
    #[error(transparent)]
    Key(#[from] InvalidEncodingAesKey),
}

impl PushOrder {
    /// The HTTP request of this push.
    pub(super) fn request(&self, subject: &Subject, now: i64) -> Result<Request, InvalidPush> {
        let mut url = Url::parse(&self.url).map_err(|_| InvalidPush::Url)?;
        if url.scheme() != "http" || url.host_str().is_none() {
            return Err(InvalidPush::Url);
        }
        let timestamp = now.to_string();
        let nonce = (u32::from_ne_bytes(random_bytes()) % 1_000_000_000).to_string();
        let token = if self.forged { "somebody else's token" } else { &self.token };
        url.query_pairs_mut()
            .append_pair("signature", &url_signature(token, &timestamp, &nonce))
            .append_pair("timestamp", &timestamp)
            .append_pair("nonce", &nonce);
        let Some(event) = &self.event else {
            let echo = u64::from_ne_bytes(random_bytes()).to_string();
            url.query_pairs_mut().append_pair("echostr", &echo);
            return Ok(Request { url, body: None });
        };
        if let Some(openid) = &subject.openid {
            url.query_pairs_mut().append_pair("openid", openid);
        }
        let mut text = self.written(&self.message(event, subject, now));
        if let Some(key) = &self.aes_key {
            let app = self.encrypted_appid.as_deref().map(AppId::parse).transpose();
            let app = app.map_err(|_| InvalidPush::App)?;
            let app = app.as_ref().unwrap_or(&subject.app);
            let encrypted = encrypt(text.as_bytes(), app, &EncodingAesKey::parse(key)?, random_bytes());
            url.query_pairs_mut()
                .append_pair("encrypt_type", "aes")
                .append_pair("msg_signature", &message_signature(token, &timestamp, &nonce, &encrypted));
            text = self.envelope(encrypted);
        }
        let content_type = self.content_type.clone().unwrap_or_else(|| "text/xml".to_owned());
        if content_type.contains(|c: char| c.is_control()) {
            return Err(InvalidPush::ContentType);
        }
        Ok(Request { url, body: Some(Body { content_type, text }) })
    }

    fn message(&self, event: &str, subject: &Subject, now: i64) -> Map<String, Value> {
        let mut message = Map::new();
        let mut put = |key: &str, value: Value| message.insert(key.to_owned(), value);
        put("ToUserName", "gh_0123456789ab".into());
        put("FromUserName", PUSHER.into());
        put("CreateTime", now.into());
        put("MsgType", "event".into());
        put("Event", event.into());
        put("AppID", subject.app.as_str().into());
        if let Some(openid) = subject.openid.as_deref().filter(|_| !self.omit_openid) {
            put("OpenID", openid.into());
        }
        if event == "user_authorization_revoke" {
            put("RevokeInfo", "8".into());
        }
        message.extend(self.fields.clone());
        message
    }

    fn envelope(&self, encrypted: String) -> String {
        let mut envelope = Map::new();
        envelope.insert("ToUserName".to_owned(), "gh_0123456789ab".into());
        envelope.insert("Encrypt".to_owned(), encrypted.into());
        match self.format {
            Format::Json => Value::Object(envelope).to_string(),
            Format::Xml => xml_of(&envelope),
        }
    }

    fn written(&self, message: &Map<String, Value>) -> String {
        match (self.format, self.stray_spaces) {
            (Format::Json, false) => Value::Object(message.clone()).to_string(),
            (Format::Json, true) => {
                Value::Object(message.iter().map(with_stray_spaces).collect()).to_string()
            }
            (Format::Xml, false) => xml_of(message),
            // A space in a tag's name is not valid XML, so only the values get them.
            (Format::Xml, true) => xml_of(
                &message
                    .iter()
                    .map(|(key, value)| (key.clone(), with_stray_spaces((key, value)).1))
                    .collect(),
            ),
        }
    }
}

fn with_stray_spaces((key, value): (&String, &Value)) -> (String, Value) {
    let value = value.as_str().map_or_else(|| value.clone(), |text| format!(" {text} ").into());
    (format!(" {key}"), value)
}

/// Strings in CDATA, numbers bare, as in WeChat's XML.
fn xml_of(fields: &Map<String, Value>) -> String {
    let mut xml = String::from("<xml>");
    for (key, value) in fields {
        // Writing to a String can't fail.
        let _ = match value.as_str() {
            Some(text) => {
                write!(xml, "<{key}><![CDATA[{}]]></{key}>", text.replace("]]>", "]]]]><![CDATA[>"))
            }
            None => write!(xml, "<{key}>{value}</{key}>"),
        };
    }
    xml.push_str("</xml>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat::push::decrypt;
    use std::collections::HashMap;

    fn subject() -> Subject {
        let app = AppId::parse("wx0123456789abcdef").unwrap();
        Subject { app, openid: Some("oAlice".to_owned()) }
    }

    fn request(order: Value) -> (HashMap<String, String>, String) {
        let order: PushOrder = serde_json::from_value(order).unwrap();
        let request = order.request(&subject(), 1_714_036_504).unwrap();
        let query = request.url.query_pairs().into_owned().collect();
        (query, request.body.map(|body| body.text).unwrap_or_default())
    }

    #[test]
    fn a_plain_push_is_signed_and_names_its_user() {
        let (query, body) = request(serde_json::json!({
            "url": "http://localhost/push?a=1", "token": "AAAAA", "event": "user_authorization_revoke",
        }));
        assert_eq!(query["signature"], url_signature("AAAAA", "1714036504", &query["nonce"]));
        assert_eq!((query["a"].as_str(), query["openid"].as_str()), ("1", "oAlice"));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["OpenID"], &body["RevokeInfo"]), (&Value::from("oAlice"), &Value::from("8")));
    }

    #[test]
    fn a_secure_push_decrypts_to_its_message() {
        let key = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
        let (query, body) = request(serde_json::json!({
            "url": "http://localhost/", "token": "AAAAA", "aes_key": key, "format": "json",
            "event": "user_info_modified", "omit_openid": true, "stray_spaces": true,
        }));
        let body: Value = serde_json::from_str(&body).unwrap();
        let encrypted = body["Encrypt"].as_str().unwrap();
        let signature = message_signature("AAAAA", "1714036504", &query["nonce"], encrypted);
        assert_eq!(query["msg_signature"], signature);
        let message = decrypt(encrypted, &subject().app, &EncodingAesKey::parse(key).unwrap()).unwrap();
        let message: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!(message[" Event"], " user_info_modified ");
        assert!(message.get(" OpenID").is_none());
    }

    #[test]
    fn xml_has_texts_in_cdata_and_a_url_check_has_no_body() {
        let (_, body) = request(serde_json::json!({
            "url": "http://localhost/", "token": "AAAAA", "format": "xml", "event": "e",
        }));
        assert!(body.starts_with("<xml>") && body.contains("<Event><![CDATA[e]]></Event>"), "{body}");
        assert!(body.contains("<CreateTime>1714036504</CreateTime>"), "{body}");
        let (query, body) = request(serde_json::json!({"url": "http://localhost/", "token": "AAAAA"}));
        assert!(query.contains_key("echostr") && body.is_empty());
    }
}

//! WeChat's own endpoints, one file per kind of call.

mod encrypted_message;
mod login;
mod phone_number;
mod signed_session;
mod token;

use super::endpoint::Endpoint;
use super::state::State;
use super::wire::{Asked, Errcode, Outcome};
use actix_web::http::Method;
use serde_json::Value;
use std::borrow::Cow;

/// Executes a call.
pub(super) fn run(endpoint: Endpoint, state: &State, call: &Call<'_>) -> Outcome {
    match endpoint {
        Endpoint::CodeToSession => login::code_to_session(state, call),
        Endpoint::StableToken => token::stable_token(state, call),
        Endpoint::Token => token::legacy_token(state, call),
        Endpoint::CheckSession => signed_session::check_session(state, call),
        Endpoint::ResetUserSessionKey => signed_session::reset_session_key(state, call),
        Endpoint::GetUserEncryptKey => signed_session::encrypt_keys(state, call),
        Endpoint::GetUserPhoneNumber => phone_number::phone_number(state, call),
        Endpoint::CheckEncryptedMessage => encrypted_message::check(state, call),
    }
}

/// A parsed call.
pub(super) struct Call<'a> {
    pub(super) asked: Asked,
    query: Query<'a>,
    body: Result<Value, Errcode>,
}

/// The query parameters of all endpoints.
#[derive(Default)]
struct Query<'a> {
    appid: Cow<'a, str>,
    secret: Cow<'a, str>,
    js_code: Cow<'a, str>,
    grant_type: Cow<'a, str>,
    access_token: Cow<'a, str>,
    openid: Cow<'a, str>,
    signature: Cow<'a, str>,
    sig_method: Cow<'a, str>,
}

impl<'a> Call<'a> {
    /// Parses a call. Missing parameters are empty; errors surface when a parameter is used.
    pub(super) fn read(
        endpoint: Endpoint,
        method: &Method,
        query: &'a str,
        body: &[u8],
        asked: Asked,
    ) -> Self {
        let body = match (endpoint.takes_json(), method == Method::POST) {
            (false, _) => Ok(Value::Null),
            (true, false) => Err(43002),
            (true, true) if body.is_empty() => Err(44002),
            (true, true) => serde_json::from_slice(body).map_err(|_| 47001),
        };
        Self { asked, query: Query::read(query), body }
    }

    /// The single-use code of the call, if any.
    pub(super) fn code(&self, endpoint: Endpoint) -> Option<&str> {
        let code = match endpoint {
            Endpoint::CodeToSession => &*self.query.js_code,
            Endpoint::GetUserPhoneNumber => self.text("code"),
            _ => "",
        };
        Some(code).filter(|code| !code.is_empty())
    }

    /// The app of the call, as far as it can be determined.
    pub(super) fn appid(&self, state: &State) -> Option<String> {
        if !self.query.access_token.is_empty() {
            return state
                .apps
                .of_token(&self.query.access_token, self.asked.now)
                .ok()
                .map(|app| app.appid.clone());
        }
        let appid = if self.query.appid.is_empty() { self.text("appid") } else { &self.query.appid };
        Some(appid.to_owned()).filter(|appid| !appid.is_empty())
    }

    /// A string in the JSON body; empty if missing.
    fn text(&self, name: &str) -> &str {
        self.body.as_ref().ok().and_then(|body| body.get(name)).and_then(Value::as_str).unwrap_or_default()
    }
}

impl<'a> Query<'a> {
    fn read(text: &'a str) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let field = match &*name {
                "appid" => &mut query.appid,
                "secret" => &mut query.secret,
                "js_code" => &mut query.js_code,
                "grant_type" => &mut query.grant_type,
                "access_token" => &mut query.access_token,
                "openid" => &mut query.openid,
                "signature" => &mut query.signature,
                "sig_method" => &mut query.sig_method,
                _ => continue,
            };
            *field = value;
        }
        query
    }
}

/// Rejects a call without this parameter.
fn require(value: &str, errcode: Errcode) -> Result<(), Errcode> {
    if value.is_empty() { Err(errcode) } else { Ok(()) }
}

//! WeChat's own URLs, one file for each kind of call.

mod encrypted_message;
mod login;
mod phone_number;
mod signed_session;
mod token;

use super::state::State;
use super::wire::{Asked, Errcode, Family, Outcome};
use actix_web::http::Method;
use serde_json::Value;
use std::borrow::Cow;

/// The URLs that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    CodeToSession,
    StableToken,
    Token,
    CheckSession,
    ResetUserSessionKey,
    GetUserEncryptKey,
    GetUserPhoneNumber,
    CheckEncryptedMessage,
}

impl Endpoint {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 8] = [
        Endpoint::CodeToSession,
        Endpoint::StableToken,
        Endpoint::Token,
        Endpoint::CheckSession,
        Endpoint::ResetUserSessionKey,
        Endpoint::GetUserEncryptKey,
        Endpoint::GetUserPhoneNumber,
        Endpoint::CheckEncryptedMessage,
    ];

    /// The URL's path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Endpoint::CodeToSession => "/sns/jscode2session",
            Endpoint::StableToken => "/cgi-bin/stable_token",
            Endpoint::Token => "/cgi-bin/token",
            Endpoint::CheckSession => "/wxa/checksession",
            Endpoint::ResetUserSessionKey => "/wxa/resetusersessionkey",
            Endpoint::GetUserEncryptKey => "/wxa/business/getuserencryptkey",
            Endpoint::GetUserPhoneNumber => "/wxa/business/getuserphonenumber",
            Endpoint::CheckEncryptedMessage => "/wxa/business/checkencryptedmsg",
        }
    }

    /// The last part of the path, which names the endpoint in the control API.
    pub(super) fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// How it words its answers.
    pub(super) fn family(self) -> Family {
        match self {
            Endpoint::CodeToSession => Family::Sns,
            Endpoint::StableToken
            | Endpoint::Token
            | Endpoint::CheckSession
            | Endpoint::ResetUserSessionKey => Family::Cgi,
            Endpoint::GetUserEncryptKey | Endpoint::GetUserPhoneNumber | Endpoint::CheckEncryptedMessage => {
                Family::Business
            }
        }
    }

    /// Does it take its parameters as JSON in the body, and so by POST only?
    fn takes_json(self) -> bool {
        matches!(self, Endpoint::StableToken | Endpoint::GetUserPhoneNumber | Endpoint::CheckEncryptedMessage)
    }

    /// Carries a call out.
    pub(super) fn run(self, state: &State, call: &Call<'_>) -> Outcome {
        match self {
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
}

/// One call, taken apart.
pub(super) struct Call<'a> {
    pub(super) asked: Asked,
    query: Query<'a>,
    body: Result<Value, Errcode>,
}

/// The parameters that any endpoint takes in its query.
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
    /// Takes a call apart. What is missing is empty; what is wrong shows when it is asked for.
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

    /// The one-use code in the call, if it carries one.
    pub(super) fn code(&self, endpoint: Endpoint) -> Option<&str> {
        let code = match endpoint {
            Endpoint::CodeToSession => &*self.query.js_code,
            Endpoint::GetUserPhoneNumber => self.text("code"),
            _ => "",
        };
        Some(code).filter(|code| !code.is_empty())
    }

    /// The app on whose behalf the call is made, as far as that can be told.
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

    /// A text in the JSON body; empty where it is missing.
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

/// Refuses a call that lacks a parameter.
fn require(value: &str, errcode: Errcode) -> Result<(), Errcode> {
    if value.is_empty() { Err(errcode) } else { Ok(()) }
}

//! `POST /token`: the login and refresh of the mini-program's own calls, for standard OAuth clients.

mod errors;
mod grants;

use crate::harness::{Answer, TestApp};
use serde_json::json;

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const WECHAT_CODE: &str = "urn:weauth:params:oauth:grant-type:wechat-code";

pub(super) async fn token(app: &TestApp, parameters: &[(&str, &str)]) -> Answer {
    app.post("/token", FORM, &form(parameters)).await
}

pub(super) fn form(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

pub(super) async fn with_code(app: &TestApp, code: &str) -> Answer {
    token(app, &[("grant_type", WECHAT_CODE), ("code", code)]).await
}

pub(super) async fn refresh(app: &TestApp, refresh_token: &str) -> Answer {
    token(app, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

pub(super) async fn refresh_as_mini_program(app: &TestApp, refresh_token: &str) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": refresh_token})).await
}

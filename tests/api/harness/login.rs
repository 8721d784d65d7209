//! What a login gives.

use super::answer::Answer;
use serde_json::Value;

/// The result of a successful login.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The user, with `created`.
    pub user: Value,
}

impl Login {
    /// Reads the response of a login that must have succeeded.
    #[track_caller]
    pub fn from(answer: &Answer) -> Self {
        let body = answer.ok();
        let text =
            |name: &str| body[name].as_str().unwrap_or_else(|| panic!("`{name}` of {body}")).to_owned();
        Self {
            access_token: text("access_token"),
            refresh_token: text("refresh_token"),
            user: body["user"].clone(),
        }
    }

    /// The user's id.
    pub fn user_id(&self) -> &str {
        self.user["id"].as_str().expect("a user has an id")
    }

    /// The claims of the access token.
    pub fn claims(&self) -> Value {
        crate::jwt::claims(&self.access_token)
    }

    /// The session's id in the token.
    pub fn sid(&self) -> String {
        self.claims()["sid"].as_str().expect("a token names its session").to_owned()
    }
}

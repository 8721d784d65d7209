//! What is fixed about an error code; the facts themselves stand in `code.rs`.

use super::ErrorCode;
use super::oauth::OAuthError;
use super::texts::Texts;
use actix_web::http::StatusCode;
use serde::Serialize;

/// What a client should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Do not retry: the same request will fail again.
    None,
    /// Retry a little later; a login with a new code, since the old one may be spent.
    Later,
    /// Call `wx.login` and retry once.
    Relogin,
}

/// A row of the table.
pub(super) struct Facts {
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) retry: Retry,
    pub(super) retry_after: Option<u32>,
    pub(super) oauth: OAuthError,
    pub(super) texts: Texts,
}

impl ErrorCode {
    /// The code as clients see it.
    pub fn as_str(self) -> &'static str {
        self.facts().code
    }

    /// Its HTTP status.
    pub fn status(self) -> StatusCode {
        self.facts().status
    }

    /// What to do about it.
    pub fn retry(self) -> Retry {
        self.facts().retry
    }

    /// Seconds for `Retry-After`, which every 429 and 503 carries.
    pub fn retry_after(self) -> Option<u32> {
        self.facts().retry_after
    }

    /// What standard OAuth clients are told.
    pub(super) fn oauth(self) -> OAuthError {
        self.facts().oauth
    }

    /// Its title and detail.
    pub(super) fn texts(self) -> &'static Texts {
        &self.facts().texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_429_and_503_says_when_to_come_back() {
        for code in ErrorCode::ALL {
            let busy = matches!(code.status().as_u16(), 429 | 503);
            assert_eq!(code.retry_after().is_some(), busy, "{}", code.as_str());
        }
    }
}

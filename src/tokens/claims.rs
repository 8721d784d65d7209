//! The claims of an access token.

use crate::domain::{AppId, Permission, Role, SessionId, Time, UserId};
use serde::{Deserialize, Serialize};

/// `typ` of an access token (RFC 9068, 2.1).
pub(super) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The user that a verified access token represents, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user (`sub`).
    pub id: UserId,
    /// The mini-program they signed in to (`client_id`, `aud`).
    pub appid: AppId,
    /// The session (`sid`).
    pub session: SessionId,
    /// The user's roles as of `as_of`.
    pub roles: Vec<Role>,
    /// The permissions of these roles (`scope`).
    pub permissions: Vec<Permission>,
    /// When the token was issued.
    pub issued_at: Time,
    /// When the token expires.
    pub expires_at: Time,
    /// The token's own id (`jti`).
    pub token_id: String,
    /// The time of `roles` and `permissions`: when the token was issued or, if they have changed since, when
    /// this node learnt of the change.
    pub as_of: Time,
}

/// A signed access token. `Debug` does not show it.
pub struct AccessToken(pub(super) String);

impl AccessToken {
    /// The token itself, for the response that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken")
    }
}

/// The claims as JSON (RFC 7519 4.1, RFC 9068 2.2).
#[derive(Serialize)]
pub(super) struct OutgoingClaims<'a> {
    pub(super) iss: &'a str,
    pub(super) sub: &'a str,
    pub(super) aud: &'a str,
    pub(super) client_id: &'a str,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: &'a str,
    pub(super) sid: &'a str,
    pub(super) roles: &'a [Role],
    pub(super) scope: String,
}

#[derive(Deserialize)]
pub(super) struct IncomingClaims {
    pub(super) sub: String,
    pub(super) client_id: String,
    pub(super) iat: i64,
    pub(super) nbf: Option<i64>,
    pub(super) exp: i64,
    pub(super) jti: String,
    pub(super) sid: String,
    pub(super) roles: Vec<String>,
    pub(super) scope: String,
}

impl From<IncomingClaims> for Principal {
    fn from(claims: IncomingClaims) -> Self {
        Self {
            id: UserId::from_stored(claims.sub),
            appid: AppId::from_stored(claims.client_id),
            session: SessionId::from_stored(claims.sid),
            roles: claims.roles.into_iter().map(Role::from_stored).collect(),
            permissions: claims.scope.split_ascii_whitespace().map(Permission::from_stored).collect(),
            issued_at: Time::from_unix(claims.iat),
            expires_at: Time::from_unix(claims.exp),
            token_id: claims.jti,
            as_of: Time::from_unix(claims.iat),
        }
    }
}

//! What a login and a refresh share: issuing a session's tokens for a user as they are now.

use super::users::{KnownUser, Users};
use crate::domain::{AppId, Clock, Generation, Lifetimes, RefreshToken, SessionId, Time, User};
use crate::tokens::{AccessToken, KeyError, Principal, Verifier};
use std::sync::Arc;

/// The tokens of a session.
#[derive(Debug)]
pub struct Issued {
    /// The user, as they are now.
    pub user: Arc<KnownUser>,
    /// Whether this very login created the user. True in one answer in a user's life.
    pub created: bool,
    /// The access token.
    pub access_token: AccessToken,
    /// Seconds until the access token expires.
    pub expires_in: i64,
    /// The refresh token.
    pub refresh_token: RefreshToken,
    /// Seconds until the refresh token expires, unless it is used.
    pub refresh_expires_in: i64,
}

/// Issues tokens. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Issuer {
    users: Users,
    tokens: Verifier,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl Issuer {
    /// Signs with the keys of `tokens`.
    pub fn new(users: Users, tokens: Verifier, lifetimes: Lifetimes, clock: Clock) -> Self {
        Self { users, tokens, lifetimes, clock }
    }

    /// `as_of`: `user` is current as of this time or later.
    pub(super) fn issue(
        &self,
        user: User,
        as_of: Time,
        app: &AppId,
        session: &SessionId,
        generation: Generation,
    ) -> Result<Issued, KeyError> {
        let now = self.clock.now();
        let user = self.users.update(user, as_of);
        let keys = self.tokens.keys();
        let access_token = keys.issue(&Principal {
            id: user.user.id.clone(),
            appid: app.clone(),
            session: session.clone(),
            roles: user.user.roles.clone(),
            permissions: user.permissions.clone(),
            issued_at: now,
            expires_at: now.plus_seconds(self.lifetimes.access),
            token_id: uuid::Uuid::now_v7().simple().to_string(),
            as_of,
        })?;
        let refresh_token = keys.refresh().issue(&user.user.id, session, generation);
        Ok(Issued {
            user,
            created: false,
            access_token,
            expires_in: self.lifetimes.access,
            refresh_token,
            refresh_expires_in: self.lifetimes.refresh,
        })
    }
}

//! A session's life after login: it is refreshed, listed and ended.

use super::detached::detached;
use super::issue::{Issued, Issuer};
use super::users::Users;
use crate::actors::Db;
use crate::domain::{Actor, AppId, ClientInfo, Clock, Lifetimes, Session, SessionId, UserId};
use crate::store::{EndSessions, Ending, ListSessions, RotateSession, Rotation, StoreError};
use crate::tokens::{KeyError, Revocations, Verifier};
use secrecy::{ExposeSecret, SecretString};
use std::time::Instant;

/// A refresh request.
#[derive(Debug)]
pub struct RefreshRequest {
    /// The refresh token.
    pub token: SecretString,
    /// The mini-program, if the client named it; it must then match the session's.
    pub app: Option<AppId>,
    /// The permissions that the client requested, their names separated by spaces; the user must hold each one. The
    /// new token still carries all that the user holds.
    pub scope: String,
    /// Where the request came from.
    pub client: ClientInfo,
}

/// Why a refresh failed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Not a token of ours, or its session has ended.
    #[error("the refresh token is not valid")]
    Invalid,
    /// The token was already replaced, so its session was ended.
    #[error("the refresh token was used before")]
    Reused,
    /// An operator banned the user.
    #[error("the user is banned")]
    Banned,
    /// The client requested a permission that the user does not hold; nothing was changed.
    #[error("the user does not hold what was asked for")]
    Scope,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The access token could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The refresh panicked; nothing else is affected.
    #[error("the refresh crashed")]
    Crashed,
}

/// Refreshes, lists and ends sessions. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// Keeps the sessions.
    pub db: Db,
    /// Reads refresh tokens, and knows the mini-programs served.
    pub tokens: Verifier,
    /// Knows the permissions that a client may request.
    pub users: Users,
    /// Issues the tokens.
    pub issuer: Issuer,
    /// How long a refresh token lives, and how long the one that it replaced.
    pub lifetimes: Lifetimes,
    /// Learn of the sessions that end.
    pub revocations: Revocations,
    /// The time.
    pub clock: Clock,
}

impl Sessions {
    /// Exchanges a refresh token for new tokens. Once begun it finishes, even if the caller goes away.
    pub fn refresh(
        &self,
        request: RefreshRequest,
    ) -> impl Future<Output = Result<Issued, RefreshError>> + use<> {
        let sessions = self.clone();
        let id = request.client.request_id.clone();
        detached(async move { sessions.rotate(request).await }, RefreshError::Crashed, id)
    }

    async fn rotate(&self, request: RefreshRequest) -> Result<Issued, RefreshError> {
        let keys = self.tokens.keys();
        let token = keys.refresh().verify(request.token.expose_secret()).ok_or(RefreshError::Invalid)?;
        let (at, lifetimes) = (self.clock.now(), self.lifetimes);
        let rotation = self.db.commit(RotateSession {
            user: token.user,
            session: token.session.clone(),
            app: request.app,
            served: self.tokens.served().clone(),
            presented: token.generation,
            scope: self.users.requested(&request.scope),
            at,
            since: Instant::now(),
            expires_at: at.plus_seconds(lifetimes.refresh),
            grace: lifetimes.grace,
            ip: request.client.ip,
        });
        match rotation.await? {
            Rotation::Turned { user, app, generation, expires_at } => {
                let issued = self.issuer.issue(user, at, &app, &token.session, generation)?;
                let left = expires_at.unix() - at.unix();
                Ok(Issued { refresh_expires_in: left.max(1), ..issued })
            }
            Rotation::Gone => Err(RefreshError::Invalid),
            Rotation::Banned => Err(RefreshError::Banned),
            Rotation::ScopeNotHeld => Err(RefreshError::Scope),
            Rotation::Reused => {
                self.revocations.add([(token.session, at)]);
                Err(RefreshError::Reused)
            }
        }
    }

    /// The user's sessions, the latest first.
    pub async fn list(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        self.db.run(ListSessions { user: user.clone(), at: self.clock.now() }).await
    }

    /// Ends one session of a user; false if it is not theirs.
    pub async fn end(&self, user: &UserId, session: SessionId, by: Actor) -> Result<bool, StoreError> {
        Ok(self.end_some(user, Ending::One(session), by).await? > 0)
    }

    /// Ends a session that is this user's for certain, by a token of theirs. It counts as ended here even if another
    /// node was quicker: the news may not have arrived yet.
    pub async fn end_certain(&self, user: &UserId, session: SessionId, by: Actor) -> Result<(), StoreError> {
        self.end_some(user, Ending::One(session.clone()), by).await?;
        self.revocations.add([(session, self.clock.now())]);
        Ok(())
    }

    /// Ends all sessions of a user.
    pub async fn end_all(&self, user: &UserId, by: Actor) -> Result<(), StoreError> {
        self.end_some(user, Ending::All, by).await?;
        Ok(())
    }

    async fn end_some(&self, user: &UserId, which: Ending, by: Actor) -> Result<usize, StoreError> {
        let at = self.clock.now();
        let ended = self.db.commit(EndSessions { user: user.clone(), which, by, at }).await?;
        let count = ended.len();
        self.revocations.add(ended.into_iter().map(|session| (session, at)));
        Ok(count)
    }
}

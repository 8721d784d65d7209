//! Token introspection for backends: whether an access or refresh token is active, and for whom. Changes nothing.

use crate::actors::Db;
use crate::domain::{
    AppId, Clock, Generation, Lifetimes, RefreshToken, SessionId, Time, UserId, UserStatus, Verdict,
};
use crate::store::{FindRefreshSession, RefreshSession, StoreError};
use crate::tokens::{Principal, TokenError, Verifier};
use std::sync::Arc;

/// A token that is active now.
#[derive(Debug)]
pub enum ActiveToken {
    /// An access token.
    Access(Arc<Principal>),
    /// A refresh token.
    Refresh {
        /// The user.
        user: UserId,
        /// The mini-program.
        app: AppId,
        /// The session.
        session: SessionId,
        /// When the token expires unless it is used.
        expires_at: Time,
    },
}

/// Introspects tokens. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Introspection {
    db: Db,
    tokens: Verifier,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl Introspection {
    /// Puts the parts together.
    pub fn new(db: Db, tokens: Verifier, lifetimes: Lifetimes, clock: Clock) -> Self {
        Self { db, tokens, lifetimes, clock }
    }

    /// Returns what this token stands for, or `None` if it is not active, whatever the reason.
    pub async fn introspect(&self, token: &str) -> Result<Option<ActiveToken>, StoreError> {
        match self.tokens.verify(token) {
            Ok(principal) => Ok(Some(ActiveToken::Access(principal))),
            Err(TokenError::Invalid) => {
                let refresh = self.tokens.keys().refresh().verify(token);
                let Some(refresh) = refresh else { return Ok(None) };
                self.refresh_token(refresh).await
            }
            Err(TokenError::Expired | TokenError::Revoked | TokenError::Banned) => Ok(None),
        }
    }

    async fn refresh_token(&self, token: RefreshToken) -> Result<Option<ActiveToken>, StoreError> {
        let RefreshToken { user, session, generation, .. } = token;
        let found = self.db.run(FindRefreshSession { user: user.clone(), session: session.clone() }).await?;
        let is_served = |found: &RefreshSession| self.tokens.served().contains(&found.app);
        let Some(found) = found.filter(is_served) else { return Ok(None) };
        let good_until = good_until(&found, generation, self.clock.now(), self.lifetimes.grace);
        Ok(good_until.map(|expires_at| ActiveToken::Refresh { user, app: found.app, session, expires_at }))
    }
}

/// Until when a refresh would accept the token of this generation.
fn good_until(session: &RefreshSession, generation: Generation, at: Time, grace: i64) -> Option<Time> {
    let state = &session.state;
    match state.judge(generation, at, grace) {
        _ if session.user_status != UserStatus::Active => None,
        Verdict::Current => Some(state.expires_at),
        Verdict::InGrace => Some(state.grace_ends(generation, grace)?.min(state.expires_at)),
        Verdict::Reused | Verdict::Expired => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RefreshState;

    #[test]
    fn a_refresh_token_is_active_as_long_as_it_would_be_taken() {
        let (rotated_at, expires_at) = (Time::from_unix(1000), Time::from_unix(5000));
        let state = RefreshState { generation: 3, rotated_at, expires_at, burst: None };
        let session = |user_status| RefreshSession {
            app: AppId::from_stored("wx0123456789abcdef"),
            state,
            user_status,
        };
        let active = session(UserStatus::Active);
        assert_eq!(good_until(&active, 3, rotated_at, 10), Some(expires_at));
        assert_eq!(good_until(&active, 2, rotated_at, 10), Some(Time::from_unix(1010)));
        assert_eq!(good_until(&active, 2, rotated_at, 9000), Some(expires_at));
        assert_eq!(good_until(&active, 1, rotated_at, 10), None);
        assert_eq!(good_until(&active, 3, expires_at, 10), None);
        assert_eq!(good_until(&session(UserStatus::Banned), 3, rotated_at, 10), None);
    }
}

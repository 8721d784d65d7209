//! Is a token good, and whom does it speak for? Asked by a backend, of both kinds; nothing is changed.

use crate::actors::Db;
use crate::domain::{AppId, Clock, RefreshToken, SessionId, Time, UserId, UserStatus};
use crate::store::{FindRefreshSession, RefreshSession, StoreError};
use crate::tokens::{Principal, TokenError, TokenMemory, Verifier};
use std::sync::Arc;

/// A token that is good now.
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
        /// When it ends unless it is used.
        expires_at: Time,
    },
}

/// Tells good tokens from others. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Introspection {
    db: Db,
    tokens: Verifier,
    grace: i64,
    clock: Clock,
}

impl Introspection {
    /// Puts the parts together; `grace` is the time in seconds in which a just-replaced refresh token still answers.
    pub fn new(db: Db, tokens: Verifier, grace: i64, clock: Clock) -> Self {
        Self { db, tokens, grace, clock }
    }

    /// What this token is good for; `None` where it is good for nothing, whatever the reason.
    pub async fn introspect(&self, token: &str) -> Result<Option<ActiveToken>, StoreError> {
        let verified = TokenMemory::of_this_thread(|memory| self.tokens.verify(token, memory));
        match verified {
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
        let Some(found) = found else { return Ok(None) };
        let good_until = good_until(&found, generation, self.grace).filter(|until| *until > self.clock.now());
        Ok(good_until.map(|expires_at| ActiveToken::Refresh { user, app: found.app, session, expires_at }))
    }
}

/// Until when a refresh would take the token of this generation.
fn good_until(session: &RefreshSession, generation: i32, grace: i64) -> Option<Time> {
    if session.user_status != UserStatus::Active {
        return None;
    }
    if generation == session.generation {
        return Some(session.expires_at);
    }
    let was_just_replaced = generation.checked_add(1) == Some(session.generation);
    was_just_replaced.then(|| session.rotated_at.plus_seconds(grace).min(session.expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_generation_is_good_and_the_one_before_it_for_the_grace() {
        let (rotated_at, expires_at) = (Time::from_unix(1000), Time::from_unix(5000));
        let session = |user_status| RefreshSession {
            app: AppId::from_stored("wx0123456789abcdef"),
            generation: 3,
            rotated_at,
            expires_at,
            user_status,
        };
        let active = session(UserStatus::Active);
        assert_eq!(good_until(&active, 3, 10), Some(expires_at));
        assert_eq!(good_until(&active, 2, 10), Some(Time::from_unix(1010)));
        assert_eq!(good_until(&active, 2, 9000), Some(expires_at));
        for other in [1, 4, 0, -1, i32::MAX, i32::MIN] {
            assert_eq!(good_until(&active, other, 10), None, "{other}");
        }
        assert_eq!(good_until(&session(UserStatus::Banned), 3, 10), None);
    }
}

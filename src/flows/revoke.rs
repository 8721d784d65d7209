//! Token revocation by a backend: ends the session that the token belongs to, with all its tokens.

use crate::actors::Db;
use crate::domain::{Actor, ApiKeyName, Clock, SessionId, UserId};
use crate::store::{EndSessions, Ending, StoreError};
use crate::tokens::{Revocations, Verifier};
use std::net::IpAddr;

/// Ends sessions by their tokens. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct TokenRevocation {
    db: Db,
    tokens: Verifier,
    revocations: Revocations,
    clock: Clock,
}

impl TokenRevocation {
    /// Puts the parts together.
    pub fn new(db: Db, tokens: Verifier, revocations: Revocations, clock: Clock) -> Self {
        Self { db, tokens, revocations, clock }
    }

    /// Ends the session of a token of ours, even one that expired or was replaced long ago: whoever revokes a
    /// token wants its session ended. Any other token is ignored.
    pub async fn revoke(
        &self,
        token: &str,
        caller: &ApiKeyName,
        ip: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        let Some((user, session)) = self.session_of(token) else { return Ok(()) };
        let at = self.clock.now();
        let (which, by) = (Ending::One(session.clone()), Actor::api_key(caller, ip));
        self.db.commit(EndSessions { user, which, by, at }).await?;
        // Even if another node was quicker: the news may not have reached this one yet.
        self.revocations.add([(session, at)]);
        Ok(())
    }

    fn session_of(&self, token: &str) -> Option<(UserId, SessionId)> {
        if let Some(principal) = self.tokens.read(token) {
            return Some((principal.id, principal.session));
        }
        let refresh = self.tokens.keys().refresh().verify(token)?;
        Some((refresh.user, refresh.session))
    }
}

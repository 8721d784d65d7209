//! Token revocation by a backend: ends the session that the token belongs to, with all its tokens.

use super::sessions::Sessions;
use crate::domain::{Actor, SessionId, UserId};
use crate::store::StoreError;
use crate::tokens::Verifier;

/// Ends sessions by their tokens. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct TokenRevocation {
    tokens: Verifier,
    sessions: Sessions,
}

impl TokenRevocation {
    /// Puts the parts together.
    pub fn new(tokens: Verifier, sessions: Sessions) -> Self {
        Self { tokens, sessions }
    }

    /// Ends the session of a token of ours, even one that expired or was replaced long ago: whoever revokes a
    /// token wants its session ended. Any other token is ignored, and so is an access token whose signing key is
    /// retired: nobody can tell any more that it is ours.
    pub async fn revoke(&self, token: &str, by: Actor) -> Result<(), StoreError> {
        if let Some((user, session)) = self.session_of(token) {
            self.sessions.end_certain(&user, session, by).await?;
        }
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

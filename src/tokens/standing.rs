//! How a user stands after a change that an access token from before may contradict.

use super::{Principal, TokenError};
use crate::domain::{Permission, Role, Time};
use std::sync::Arc;

/// A user whose status or roles changed, or who was deleted, while access tokens of theirs were still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When the change was made.
    pub changed_at: Time,
    /// When this node heard of it: whoever reads the user from the database later than that finds it there.
    pub heard_at: Time,
    /// How they stand now.
    pub state: StandingState,
}

/// How a user stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandingState {
    /// Barred by an operator.
    Banned,
    /// Deleted.
    Gone,
    /// May act within these roles, whatever a token says.
    Active {
        /// The roles.
        roles: Vec<Role>,
        /// The permissions of these roles.
        permissions: Vec<Permission>,
    },
}

impl Standing {
    /// What a token comes to whose user stands so. `ended`: has its session ended?
    ///
    /// A ban ends every session, and none is opened as long as it holds. So a session that goes on although the
    /// user is banned was opened after the ban had been lifted, of which this node has not heard yet.
    pub(super) fn apply(&self, token: Arc<Principal>, ended: bool) -> Result<Arc<Principal>, TokenError> {
        // A token names whole seconds.
        let issued_before = token.issued_at.unix() < self.changed_at.unix();
        match &self.state {
            StandingState::Banned if ended || issued_before => Err(TokenError::Banned),
            StandingState::Gone => Err(TokenError::Revoked),
            _ if ended => Err(TokenError::Revoked),
            StandingState::Banned => Ok(token),
            StandingState::Active { roles, permissions } => {
                let says_so = token.roles == *roles && token.permissions == *permissions;
                if says_so && token.as_of >= self.heard_at {
                    return Ok(token);
                }
                let (roles, permissions) = (roles.clone(), permissions.clone());
                let as_of = token.as_of.max(self.heard_at);
                Ok(Arc::new(Principal { roles, permissions, as_of, ..Principal::clone(&token) }))
            }
        }
    }
}

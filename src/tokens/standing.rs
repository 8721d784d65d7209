//! The standing of a user after a change that older access tokens may not reflect.

use super::{Principal, TokenError};
use crate::domain::{Permission, Role, Time};
use std::sync::Arc;

/// A user who was banned, unbanned, deleted or given other roles while their access tokens were valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When the change was made.
    pub changed_at: Time,
    /// When this node learnt of it; users read from the database after that already reflect it.
    pub heard_at: Time,
    /// The user's state now.
    pub state: StandingState,
}

/// The current state of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandingState {
    /// Banned by an operator.
    Banned,
    /// Deleted.
    Gone,
    /// Active with these roles, whatever a token says.
    Active {
        /// The roles.
        roles: Vec<Role>,
        /// The permissions of these roles.
        permissions: Vec<Permission>,
    },
}

impl Standing {
    /// Applies this standing to a token of the user. `ended`: has the token's session ended?
    ///
    /// A ban ends every session, and none is opened while it lasts. So a live session of a banned user was
    /// opened after the ban was lifted, which this node has not learnt yet.
    ///
    /// Roles known here win over those of any token. When a token was issued does not tell when its roles were read:
    /// the write between them may have waited. If the token knows of a newer change, this node will within a second.
    pub(super) fn apply(&self, token: Arc<Principal>, ended: bool) -> Result<Arc<Principal>, TokenError> {
        // Token times are whole seconds.
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

//! The sessions that ended while access tokens of theirs were still good: a look-up in memory, not in the
//! database, for every request.

use crate::domain::{SessionId, Time};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The ended sessions of the last access-token lifetime. Cheap to clone; one for all workers.
#[derive(Debug, Clone, Default)]
pub struct Revocations(Arc<RwLock<HashMap<SessionId, Time>>>);

impl Revocations {
    /// Holds these sessions to be ended, each since the time given.
    pub fn add(&self, ended: impl IntoIterator<Item = (SessionId, Time)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(ended);
    }

    /// Forgets sessions that ended before a moment: no access token of theirs is good any more.
    pub fn forget_before(&self, moment: Time) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, ended| *ended >= moment);
    }

    /// Has this session ended?
    pub fn contains(&self, session: &SessionId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_sessions_are_known_until_their_tokens_are_over() {
        let revocations = Revocations::default();
        let (old, new) = (SessionId::generate(), SessionId::generate());
        revocations.add([(old.clone(), Time::from_unix(100)), (new.clone(), Time::from_unix(200))]);
        assert!(revocations.contains(&old) && revocations.contains(&new));
        revocations.forget_before(Time::from_unix(150));
        assert!(!revocations.contains(&old) && revocations.contains(&new));
    }
}

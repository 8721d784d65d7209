//! Writes each user's last login time to the user table, in the background.
//!
//! A login writes its session, which records the time. The user's own row, which operators sort by, follows within
//! a second, so that many logins cost one write, in table order. When many people log in at once it follows within
//! ten seconds, during which many of them log in again.

use super::background::Outage;
use crate::actors::Db;
use crate::domain::{Time, UserId};
use crate::shared::lock;
use crate::store::{NoteLogins, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);

/// The maximum rows per write, so that no login waits long behind it.
const BITE: usize = 256;

/// More logins than one write holds may wait this many seconds.
const CROWD_WAITS: u32 = 10;

/// The logins that the user table does not show yet.
#[derive(Debug, Clone, Default)]
pub struct LastLogins(Arc<Mutex<HashMap<UserId, Time>>>);

impl LastLogins {
    pub(super) fn note(&self, user: &UserId, at: Time) {
        let mut noted = self.noted();
        match noted.get_mut(user) {
            Some(latest) => *latest = at.max(*latest),
            None => _ = noted.insert(user.clone(), at),
        }
    }

    /// Writes the recorded logins until the process ends: every second, or every ten if there are many.
    pub async fn write_forever(self, db: Db) {
        let outage = Outage::new("last logins can't be noted", "last logins are noted again");
        let mut waited = 0;
        loop {
            tokio::time::sleep(PAUSE).await;
            waited += 1;
            if self.noted().len() <= BITE || waited == CROWD_WAITS {
                outage.note(self.write(&db).await);
                waited = 0;
            }
        }
    }

    /// When the user last logged in on this node, if the user table may not show it yet.
    pub(super) fn of(&self, user: &UserId) -> Option<Time> {
        self.noted().get(user).copied()
    }

    /// Writes the recorded logins. What can't be written is kept for the next time.
    pub async fn write(&self, db: &Db) -> Result<(), StoreError> {
        let mut noted: Vec<(UserId, Time)> =
            self.noted().iter().map(|(user, at)| (user.clone(), *at)).collect();
        noted.sort_unstable();
        for bite in noted.chunks(BITE) {
            db.commit(NoteLogins(bite.to_vec())).await?;
            self.forget(bite);
        }
        Ok(())
    }

    /// Removes what was written, unless the user has logged in again since.
    fn forget(&self, written: &[(UserId, Time)]) {
        let mut noted = self.noted();
        for (user, at) in written {
            if noted.get(user) == Some(at) {
                noted.remove(user);
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<UserId, Time>> {
        lock(&self.0)
    }
}

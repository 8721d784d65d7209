//! Users as they are now, with a cache that saves the database read for one that was read a moment ago.

use super::last_logins::LastLogins;
use crate::actors::Db;
use crate::domain::{Clock, Permission, RequestedScope, RolePolicy, Time, User, UserId, UserStatus};
use crate::shared::{Sharded, TwoGenerations};
use crate::store::{FindUser, StoreError};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// How long a cached user is good, in seconds; changes made on this node are visible at once.
const GOOD_FOR_SECONDS: i64 = 10;

/// The minimum number of users cached; the maximum is twice that, at about 1 KiB each.
const CAPACITY: usize = 16_384;

/// A user and their permissions, as known at one moment.
#[derive(Debug)]
pub struct KnownUser {
    /// The user.
    pub user: User,
    /// The permissions of their roles.
    pub permissions: Vec<Permission>,
    loaded_at: Time,
    rendered: OnceLock<Bytes>,
}

impl KnownUser {
    /// The rendered form of the user, which is made only once.
    pub fn rendered<E>(&self, render: impl FnOnce(&Self) -> Result<Vec<u8>, E>) -> Result<Bytes, E> {
        if let Some(rendered) = self.rendered.get() {
            return Ok(rendered.clone());
        }
        let rendered = render(self)?;
        Ok(self.rendered.get_or_init(|| rendered.into()).clone())
    }
}

/// One shard of the cache.
type Part = TwoGenerations<UserId, Arc<KnownUser>, { CAPACITY / Sharded::<()>::PARTS }>;

/// Finds users by id. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Users {
    db: Db,
    clock: Clock,
    policy: Arc<RolePolicy>,
    last_logins: LastLogins,
    known: Sharded<Part>,
}

impl Users {
    /// Reads users from `db`, and last logins not written there yet from `last_logins`; their permissions come
    /// from `policy`.
    pub fn new(db: Db, clock: Clock, policy: RolePolicy, last_logins: LastLogins) -> Self {
        Self { db, clock, policy: Arc::new(policy), last_logins, known: Sharded::default() }
    }

    /// The user as they were at `not_before` or later; `None` if there is none any more.
    pub async fn find(&self, id: &UserId, not_before: Time) -> Result<Option<Arc<KnownUser>>, StoreError> {
        if let Some(known) = self.known(id, not_before) {
            return Ok(Some(known));
        }
        // Boxed: most calls return above, and their futures need not reserve space for what follows.
        Box::pin(self.load(id)).await
    }

    async fn load(&self, id: &UserId) -> Result<Option<Arc<KnownUser>>, StoreError> {
        let loaded_at = self.clock.now();
        let found = self.db.run(FindUser(id.clone())).await?;
        let Some(mut user) = found else { return Ok(None) };
        user.last_login_at =
            self.last_logins.of(id).map_or(user.last_login_at, |at| at.max(user.last_login_at));
        let known = self.know(user, loaded_at);
        if known.user.status == UserStatus::Banned {
            // Not cached, so that an unbanned user is let in at once.
            return Ok(Some(known));
        }
        self.known.write(id.as_str()).insert(id.clone(), known.clone());
        Ok(Some(known))
    }

    /// Replaces the cached user with this one, just written. A user not cached stays so: nobody is evicted for
    /// somebody who may never ask.
    pub fn update(&self, user: User, at: Time) -> Arc<KnownUser> {
        let known = self.know(user, at);
        let id = &known.user.id;
        let mut part = self.known.write(id.as_str());
        if part.get(id).is_some() {
            part.insert(id.clone(), known.clone());
        }
        known
    }

    /// The permissions of these names, to be checked against a user's roles.
    pub(super) fn requested(&self, names: &str) -> RequestedScope {
        RequestedScope::parse(names, self.policy.clone())
    }

    /// Every permission that some role grants, sorted.
    pub fn all_permissions(&self) -> Vec<&Permission> {
        self.policy.all_permissions()
    }

    fn know(&self, user: User, loaded_at: Time) -> Arc<KnownUser> {
        let permissions = self.policy.permissions(&user.roles);
        Arc::new(KnownUser { user, permissions, loaded_at, rendered: OnceLock::new() })
    }

    fn known(&self, id: &UserId, not_before: Time) -> Option<Arc<KnownUser>> {
        let part = self.known.read(id.as_str());
        let known = part.get(id)?;
        let fresh = known.loaded_at.plus_seconds(GOOD_FOR_SECONDS) > self.clock.now();
        (fresh && known.loaded_at >= not_before).then(|| known.clone())
    }
}

//! Follows what other nodes and the terminal did to sessions and users, within a second and across restarts.

use super::background::Outage;
use super::check_clock::time_of_all;
use crate::actors::Db;
use crate::domain::{Clock, RolePolicy, Time, UserStatus};
use crate::store::{ChangedUser, FindRevocations, FindUserChanges, StoreError};
use crate::tokens::{Revocations, Standing, StandingState};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(500);

/// How far back each read goes, in seconds: a transaction may commit late.
const OVERLAP: i64 = 30;

/// Every so many reads, what is over is forgotten and the read goes back further, in seconds: a commit may hang.
const LOOKS_BETWEEN_LONG_ONES: u32 = 120;
const LONG_OVERLAP: i64 = 15 * 60;

/// After this long without news, the log says so, once.
const DEAF: Duration = Duration::from_secs(5);

/// Reads what happened to sessions and users and passes it on to token verification.
#[derive(Debug, Clone)]
pub struct FollowRevocations {
    /// Where the changes are read from.
    pub db: Db,
    /// Receives them.
    pub revocations: Revocations,
    /// Which permissions each role grants.
    pub roles: RolePolicy,
    /// The time.
    pub clock: Clock,
    /// The lifetime of an access token in seconds, for which everything is kept.
    pub access_ttl: i64,
}

impl FollowRevocations {
    /// Reads everything that could still matter; call this before the first request. Returns the time of the read.
    pub async fn load(&self) -> Result<Time, StoreError> {
        self.look(None, self.access_ttl + OVERLAP).await
    }

    /// Reads news since `heard`, until the process ends. While the database can't be read, sessions ended elsewhere
    /// are not known here, and tokens stay valid until they expire: a database outage must not sign everybody out.
    pub async fn follow(self, heard: Rc<Cell<Time>>) {
        let no_answer = StoreError::Unavailable("it does not answer".into());
        let mut silence = Silence::from_now();
        for count in 1_u32.. {
            tokio::time::sleep(PAUSE).await;
            let is_long = count % LOOKS_BETWEEN_LONG_ONES == 0;
            let back = if is_long { LONG_OVERLAP } else { OVERLAP };
            // A read that hangs is no better than one that fails.
            let mut look = pin!(tokio::time::timeout(DEAF, self.look(Some(heard.get()), back)));
            let looked = tokio::select! {
                looked = &mut look => looked,
                () = silence.begins_to_matter() => {
                    silence.goes_on(&no_answer);
                    look.await
                }
            };
            match looked.unwrap_or_else(|_| Err(no_answer.clone())) {
                Ok(now) => {
                    heard.set(now);
                    silence.broken();
                }
                Err(error) => silence.goes_on(&error),
            }
            if is_long {
                let past = self.clock.surely_past(heard.get());
                self.revocations.forget_before(news_is_over_before(past, self.access_ttl));
            }
        }
    }

    /// Reads the changes since `back` seconds before `heard`, or before now. Returns the time of the read by the
    /// database's clock, as this machine's may be ahead of the writer's.
    async fn look(&self, heard: Option<Time>, back: i64) -> Result<Time, StoreError> {
        let now = time_of_all(&self.db, &self.clock).await?;
        let since = heard.unwrap_or_else(|| self.clock.surely_past(now)).plus_seconds(-back);
        // Users are read last and passed on first: when a ban's ended session is known, so is the ban, and the
        // user is not sent to log in again.
        let ended = self.db.run(FindRevocations { since }).await?;
        let changed = self.db.run(FindUserChanges { since }).await?;
        let heard_at = self.clock.now();
        for changed in changed {
            let state = self.state_of(&changed);
            let standing = Standing { changed_at: changed.at, heard_at, state };
            self.revocations.set_standing(changed.user, standing);
        }
        self.revocations.add(ended);
        Ok(now)
    }

    fn state_of(&self, changed: &ChangedUser) -> StandingState {
        match &changed.now {
            None => StandingState::Gone,
            Some((UserStatus::Banned, _)) => StandingState::Banned,
            Some((UserStatus::Active, roles)) => {
                StandingState::Active { permissions: self.roles.permissions(roles), roles: roles.clone() }
            }
        }
    }
}

/// What happened before this time no longer matters: the access tokens from before it, which live this long, have
/// expired, on every node.
pub(super) fn news_is_over_before(now: Time, token_seconds: i64) -> Time {
    now.plus_seconds(-token_seconds - 2 * OVERLAP)
}

/// How long there has been no news. Told of when it begins to matter.
struct Silence {
    since: Instant,
    outage: Outage,
}

impl Silence {
    fn from_now() -> Self {
        let outage = Outage::new(
            "no word from other nodes and the terminal for 5 s; until the database is back, access tokens that they revoke \
             stay valid here until they expire",
            "the database is back: what other nodes and the terminal revoke is known here again",
        );
        Self { since: Instant::now(), outage }
    }

    /// Waits until the silence is to be told of; forever once it was.
    fn begins_to_matter(&self) -> impl Future<Output = ()> + use<> {
        let left = (!self.outage.is_told()).then(|| DEAF.saturating_sub(self.since.elapsed()));
        async move {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        }
    }

    fn goes_on(&self, error: &StoreError) {
        if self.since.elapsed() >= DEAF {
            self.outage.goes_on(error);
        } else {
            log::debug!("what other nodes and the terminal revoked could not be read: {error}");
        }
    }

    fn broken(&mut self) {
        self.since = Instant::now();
        self.outage.ends();
    }
}

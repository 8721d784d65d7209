//! What other nodes, and the terminal, did to sessions and users is known here within a second, and after a
//! restart.

use super::check_clock::{ClockOffset, time_of_all};
use super::purge::longest_token;
use crate::actors::Db;
use crate::domain::{Clock, RolePolicy, Time, UserStatus};
use crate::store::{ChangedUser, FindRevocations, FindUserChanges, PurgeRevocations, StoreError};
use crate::tokens::{Revocations, Standing, StandingState};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(500);

/// How far back each look goes, in seconds: a commit may come late.
const OVERLAP: i64 = 30;

/// Once in so many looks what is over is forgotten, and the look goes back by so many seconds: a commit may hang.
const LOOKS_BETWEEN_PURGES: u32 = 120;
const LONG_OVERLAP: i64 = 15 * 60;

/// After so long without news the log says so, once.
const DEAF: Duration = Duration::from_secs(5);

/// Hears what happened to sessions and users, and tells those who look at tokens.
pub struct FollowRevocations {
    /// Where it is written.
    pub db: Db,
    /// Who is told.
    pub revocations: Revocations,
    /// What the roles allow.
    pub roles: RolePolicy,
    /// The time.
    pub clock: Clock,
    /// Is told how far that is from the time of all nodes.
    pub offset: ClockOffset,
    /// Seconds that an access token is good, for which everything is kept.
    pub access_ttl: i64,
}

impl FollowRevocations {
    /// Reads all that could still matter; to be done before the first request. Gives back when that was.
    pub async fn load(&self) -> Result<Time, StoreError> {
        self.look(None, self.access_ttl + OVERLAP).await
    }

    /// Looks for news since `heard`, until the process ends. While the database can't be read, what was ended elsewhere
    /// is not known here, and tokens stay good until they expire: a database that is away must not sign everybody out.
    pub async fn follow(self, mut heard: Time) {
        let mut silence = Silence::default();
        for count in 1_u32.. {
            tokio::time::sleep(PAUSE).await;
            let is_long = count % LOOKS_BETWEEN_PURGES == 0;
            let back = if is_long { LONG_OVERLAP } else { OVERLAP };
            // A look that hangs is no better than one that fails.
            let looked = tokio::time::timeout(DEAF, self.look(Some(heard), back)).await;
            match looked.unwrap_or_else(|_| Err(StoreError::Unavailable("it does not answer".into()))) {
                Ok(now) => {
                    heard = now;
                    silence.broken();
                }
                Err(error) => silence.goes_on(&error),
            }
            if is_long {
                // By the clock that is behind: by it tokens may still be good here.
                self.purge(heard.min(self.clock.now())).await;
            }
        }
    }

    /// Looks so many seconds back from when it was heard last, or from now. Gives back when it looked, by the database's
    /// clock: this one may be ahead of whoever writes.
    async fn look(&self, heard: Option<Time>, back: i64) -> Result<Time, StoreError> {
        let asked_at = self.clock.now();
        let now = time_of_all(&self.db, self.clock).await?;
        self.offset.note(asked_at, now, self.clock.now());
        let since = heard.unwrap_or(now).plus_seconds(-back);
        // Users are read last and told of first: whose session is known to have ended by a ban is known to be
        // banned, and is not sent to log in again.
        let ended = self.db.run(FindRevocations { since }).await?;
        let changed = self.db.run(FindUserChanges { since }).await?;
        let heard_at = self.clock.now();
        for changed in changed {
            let state = self.state_of(&changed);
            let standing = Standing { changed_at: changed.at, heard_at, state };
            self.revocations.let_stand(changed.user, standing);
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

    async fn purge(&self, now: Time) {
        let over = |ttl: i64| now.plus_seconds(-ttl - 2 * OVERLAP);
        self.revocations.forget_before(over(self.access_ttl));
        let purged = async {
            let longest = longest_token(&self.db, self.access_ttl).await?;
            self.db.commit(PurgeRevocations { before: over(longest) }).await
        };
        if let Err(error) = purged.await {
            log::warn!("old revocations could not be purged: {error}");
        }
    }
}

/// How long there has been no news. The log hears of it when it begins to matter and when it is over.
#[derive(Default)]
struct Silence {
    since: Option<Instant>,
    told: bool,
}

impl Silence {
    fn goes_on(&mut self, error: &StoreError) {
        let silent = self.since.get_or_insert_with(Instant::now).elapsed();
        log::debug!("what was ended elsewhere could not be read: {error}");
        if silent >= DEAF && !self.told {
            self.told = true;
            log::warn!(
                "for {} s it could not be heard what other nodes and the terminal ended; until the database is \
                 back, access tokens from there stay good until they expire: {error}",
                silent.as_secs()
            );
        }
    }

    fn broken(&mut self) {
        if std::mem::take(self).told {
            log::info!("the database is back: what other nodes and the terminal ended is heard again");
        }
    }
}

//! What invalidates unexpired access tokens: ended sessions, and users who were banned, deleted or given
//! other roles. Every request checks them in memory, without a database access.

use super::{Principal, Standing, StandingState, TokenError};
use crate::domain::{SessionId, Time, UserId};
use crate::shared::{ByChance, Sharded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sessions ended and users changed within the last access-token lifetime. Cheap to clone; shared by all workers.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    ended: Sharded<ByChance<SessionId, Time>>,
    /// Written before the sessions that a change ended, and read after them: if a ban is seen to have ended a
    /// session, the ban itself is seen too.
    users: Sharded<ByChance<UserId, Standing>>,
    /// Counts the additions to either map, so that an unchanged count saves the lookups.
    additions: Arc<AtomicU64>,
}

impl Revocations {
    /// Marks these sessions as ended, each since the given time.
    pub fn add(&self, ended: impl IntoIterator<Item = (SessionId, Time)>) {
        for (session, at) in ended {
            let mut part = self.ended.write(session.as_str());
            if part.insert(session, at).is_none() {
                self.count_addition();
            }
        }
    }

    /// Records a user's standing, unless a later one is known.
    pub fn set_standing(&self, user: UserId, standing: Standing) {
        let mut users = self.users.write(user.as_str());
        match users.get(&user) {
            Some(held) if held.changed_at > standing.changed_at => {}
            Some(held) if held.changed_at == standing.changed_at && held.state == standing.state => {}
            _ => {
                users.insert(user, standing);
                self.count_addition();
            }
        }
    }

    /// Marks a token's session as ended because the database shows its user as banned or deleted, before this
    /// node has learnt of the change itself. Once refused here, the token stays refused.
    pub(super) fn refuse(&self, token: &Principal, state: StandingState, at: Time) {
        let mut users = self.users.write(token.id.as_str());
        let held = users.entry(token.id.clone());
        // The time of the change is not known yet; the change must count as later when it arrives.
        let standing = held.or_insert_with(|| Standing {
            changed_at: token.issued_at,
            heard_at: at,
            state: state.clone(),
        });
        standing.state = state;
        drop(users);
        let mut ended = self.ended.write(token.session.as_str());
        ended.entry(token.session.clone()).or_insert(at);
        self.count_addition();
    }

    /// Counts an addition, while its shard is still locked: who reads the new count finds the addition, and
    /// who finds the addition can rely on the count. Not for news already known: polling repeats news for
    /// half a minute, and a login ends no session.
    fn count_addition(&self) {
        self.additions.fetch_add(1, Ordering::Release);
    }

    /// The number of additions. Read it before [`apply`](Self::apply): while it is unchanged, a token that
    /// `apply` returned unchanged stays valid.
    pub(super) fn additions(&self) -> u64 {
        self.additions.load(Ordering::Acquire)
    }

    /// Forgets everything before a time, when no token that it affects can still be valid.
    pub fn forget_before(&self, moment: Time) {
        self.ended.write_each().for_each(|mut ended| ended.retain(|_, at| *at >= moment));
        self.users.write_each().for_each(|mut users| users.retain(|_, user| user.changed_at >= moment));
    }

    /// Applies the revocations to a token that is otherwise valid: returns its principal with their current roles.
    pub(super) fn apply(&self, token: Arc<Principal>) -> Result<Arc<Principal>, TokenError> {
        let ended = self.ended.read(token.session.as_str()).contains_key(&token.session);
        let users = self.users.read(token.id.as_str());
        match users.get(&token.id) {
            None if ended => Err(TokenError::Revoked),
            None => Ok(token),
            Some(standing) => standing.apply(token, ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppId, Permission, Role};

    const ISSUED: i64 = 1_000;

    fn token(roles: &[&str]) -> Arc<Principal> {
        Arc::new(Principal {
            id: UserId::from_stored("u"),
            appid: AppId::from_stored("wx0123456789abcdef"),
            session: SessionId::generate(Time::from_unix(ISSUED)),
            roles: roles.iter().copied().map(Role::from_stored).collect(),
            permissions: Vec::new(),
            issued_at: Time::from_unix(ISSUED),
            expires_at: Time::from_unix(ISSUED + 7200),
            as_of: Time::from_unix(ISSUED),
            token_id: "t".into(),
        })
    }

    fn stand(revocations: &Revocations, changed: i64, state: StandingState) {
        let standing =
            Standing { changed_at: Time::from_unix(changed), heard_at: Time::from_unix(changed + 1), state };
        revocations.set_standing(UserId::from_stored("u"), standing);
    }

    fn active(roles: &[&str]) -> StandingState {
        let roles = roles.iter().copied().map(Role::from_stored).collect();
        StandingState::Active { roles, permissions: vec![Permission::from_stored("p")] }
    }

    fn end(revocations: &Revocations, token: &Principal) {
        revocations.add([(token.session.clone(), Time::from_unix(ISSUED + 5))]);
    }

    #[test]
    fn ended_sessions_and_changed_users_are_known_until_their_tokens_are_over() {
        let revocations = Revocations::default();
        let (old, new) = (token(&[]), token(&[]));
        revocations.add([(old.session.clone(), Time::from_unix(100))]);
        revocations.add([(new.session.clone(), Time::from_unix(200))]);
        stand(&revocations, 120, StandingState::Gone);
        assert_eq!(revocations.apply(old.clone()), Err(TokenError::Revoked));
        revocations.forget_before(Time::from_unix(150));
        assert_eq!(revocations.apply(old.clone()), Ok(old));
        assert_eq!(revocations.apply(new), Err(TokenError::Revoked));
    }

    #[test]
    fn a_ban_is_told_of_also_where_the_session_has_ended() {
        let revocations = Revocations::default();
        let (ended, left_over) = (token(&[]), token(&[]));
        end(&revocations, &ended);
        stand(&revocations, ISSUED + 5, StandingState::Banned);
        assert_eq!(revocations.apply(ended), Err(TokenError::Banned));
        assert_eq!(revocations.apply(left_over), Err(TokenError::Banned));
    }

    #[test]
    fn a_login_after_an_unban_is_good_before_word_of_the_unban_comes() {
        let revocations = Revocations::default();
        let (before, after) = (token(&[]), token(&[]));
        end(&revocations, &before);
        stand(&revocations, ISSUED, StandingState::Banned);
        assert_eq!(revocations.apply(after.clone()), Ok(after));
        stand(&revocations, ISSUED + 6, active(&[]));
        assert_eq!(revocations.apply(before), Err(TokenError::Revoked));
    }

    #[test]
    fn a_token_speaks_with_the_roles_of_now() {
        let revocations = Revocations::default();
        stand(&revocations, ISSUED + 5, active(&["editor"]));
        let now = revocations.apply(token(&["reader"])).unwrap();
        assert_eq!(now.roles, [Role::from_stored("editor")]);
        assert_eq!(now.permissions, [Permission::from_stored("p")]);
        assert_eq!((now.issued_at, now.as_of), (Time::from_unix(ISSUED), Time::from_unix(ISSUED + 6)));
    }

    #[test]
    fn what_is_heard_late_does_not_undo_what_is_known() {
        let revocations = Revocations::default();
        stand(&revocations, ISSUED + 9, StandingState::Banned);
        stand(&revocations, ISSUED + 5, active(&["editor"]));
        assert_eq!(revocations.apply(token(&[])), Err(TokenError::Banned));
    }

    #[test]
    fn whoever_was_refused_is_not_let_in_again() {
        let revocations = Revocations::default();
        let (before, after) = (token(&[]), token(&[]));
        revocations.refuse(&before, StandingState::Banned, Time::from_unix(ISSUED + 9));
        assert_eq!(revocations.apply(before.clone()), Err(TokenError::Banned));
        assert_eq!(revocations.apply(after.clone()), Ok(after));
        stand(&revocations, ISSUED + 8, active(&[]));
        assert_eq!(revocations.apply(before), Err(TokenError::Revoked));
    }

    #[test]
    fn only_what_is_new_is_counted() {
        let revocations = Revocations::default();
        let token = token(&[]);
        let mut counts = vec![revocations.additions()];
        for _ in 0..2 {
            revocations.add([]);
            end(&revocations, &token);
            stand(&revocations, ISSUED + 5, StandingState::Banned);
            counts.push(revocations.additions());
        }
        assert!(counts[0] < counts[1] && counts[1] == counts[2], "{counts:?}");
        stand(&revocations, ISSUED + 6, active(&[]));
        assert!(revocations.additions() > counts[2]);
    }

    #[test]
    fn nobody_else_is_touched() {
        let revocations = Revocations::default();
        stand(&revocations, ISSUED + 5, StandingState::Gone);
        let other = Principal { id: UserId::from_stored("v"), ..Principal::clone(&token(&[])) };
        let other = Arc::new(other);
        let same = revocations.apply(other.clone()).unwrap();
        assert!(Arc::ptr_eq(&same, &other));
    }
}

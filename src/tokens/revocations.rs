//! What contradicts access tokens that are still good: sessions that ended, users who were banned, deleted or
//! given other roles. A look-up in memory, not in the database, for every request.

use super::{Principal, Standing, StandingState, TokenError};
use crate::domain::{SessionId, Time, UserId};
use crate::sharded::{ByChance, Sharded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The ended sessions and the changed users of the last access-token lifetime. Cheap to clone; one for all
/// workers.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    ended: Sharded<ByChance<SessionId, Time>>,
    /// Told of before the sessions that ended with a change, and looked at after them: whose session is known to
    /// have ended by a ban is known to be banned.
    users: Sharded<ByChance<UserId, Standing>>,
    /// Counts what was added to either: what was looked up since the last time need not be looked up again.
    additions: Arc<AtomicU64>,
}

impl Revocations {
    /// Holds these sessions to be ended, each since the time given.
    pub fn add(&self, ended: impl IntoIterator<Item = (SessionId, Time)>) {
        for (session, at) in ended {
            let mut part = self.ended.write(session.as_str());
            if part.insert(session, at).is_none() {
                self.count_addition();
            }
        }
    }

    /// Lets a user stand so from now on, unless something later is known of them.
    pub fn let_stand(&self, user: UserId, standing: Standing) {
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

    /// Holds a token's session to be ended because the database showed its user banned or gone, before word of that
    /// came: whom this node has refused once it does not let in again.
    pub(super) fn refuse(&self, token: &Principal, state: StandingState, at: Time) {
        let mut users = self.users.write(token.id.as_str());
        let held = users.entry(token.id.clone());
        // Of the change itself nothing is known yet; word of it must count as the later.
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

    /// After the addition, with its part still locked: whoever has read the new count finds what was added, and whoever
    /// finds it there already may count on the count. Not where nothing is new: what was heard is heard again for half a
    /// minute, and a login ends no session.
    fn count_addition(&self) {
        self.additions.fetch_add(1, Ordering::Release);
    }

    /// How often something was added. To be read before [`apply`](Self::apply): as long as it stays the same, so does
    /// what a token comes to that nothing contradicted.
    pub(super) fn additions(&self) -> u64 {
        self.additions.load(Ordering::Acquire)
    }

    /// Forgets what is from before a moment: no access token that it contradicts is good any more.
    pub fn forget_before(&self, moment: Time) {
        self.ended.write_each().for_each(|mut ended| ended.retain(|_, at| *at >= moment));
        self.users.write_each().for_each(|mut users| users.retain(|_, user| user.changed_at >= moment));
    }

    /// What a token that is otherwise good comes to: the principal it speaks for, with the roles they have now.
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
            id: UserId::from_stored("u".into()),
            appid: AppId::from_stored("wx0123456789abcdef"),
            session: SessionId::generate(),
            roles: roles.iter().map(|role| Role::from_stored(role)).collect(),
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
        revocations.let_stand(UserId::from_stored("u".into()), standing);
    }

    fn active(roles: &[&str]) -> StandingState {
        let roles = roles.iter().map(|role| Role::from_stored(role)).collect();
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
        let other = Principal { id: UserId::from_stored("v".into()), ..Principal::clone(&token(&[])) };
        let other = Arc::new(other);
        let same = revocations.apply(other.clone()).unwrap();
        assert!(Arc::ptr_eq(&same, &other));
    }
}

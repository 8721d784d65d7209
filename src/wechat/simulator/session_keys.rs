//! The session keys of an app's users: one valid key each, and its predecessor for tests with stale keys.

use super::shards::{Shard, Shards};
use crate::crypto::random_bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A user idle for this long may be evicted, which invalidates the key, as with WeChat. Seconds.
const IDLE: i64 = 3600;

/// Most users per app that are remembered.
const CAPACITY: usize = 1_000_000;

/// The keys of a user in an app.
struct Keys {
    user: Box<str>,
    current: Box<str>,
    previous: Option<Box<str>>,
    made_at: i64,
    used_at: i64,
    alive: bool,
}

/// All keys of an app, by openid.
pub(super) struct SessionKeys(Shards<Box<str>, Keys>);

impl SessionKeys {
    pub(super) fn new() -> Self {
        Self(Shards::new(CAPACITY))
    }

    /// How many users are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key for a login: the current one, or a new one if that is dead or at least `period` seconds old.
    pub(super) fn sign_in(&self, openid: &str, user: &str, now: i64, period: i64) -> String {
        let mut shard = self.0.of(openid);
        let keys = keys_of(&mut shard, openid, user, now);
        if !keys.alive || now - keys.made_at >= period {
            keys.replace(now);
        }
        keys.used_at = now;
        keys.current.to_string()
    }

    /// The user with this openid, if they have signed in.
    pub(super) fn user(&self, openid: &str) -> Option<String> {
        self.0.of(openid).entries().get(openid).map(|keys| keys.user.to_string())
    }

    /// The valid key.
    pub(super) fn current(&self, openid: &str) -> Option<String> {
        let mut shard = self.0.of(openid);
        shard.entries().get(openid).filter(|keys| keys.alive).map(|keys| keys.current.to_string())
    }

    /// The previous key.
    pub(super) fn previous(&self, openid: &str) -> Option<String> {
        let mut shard = self.0.of(openid);
        shard.entries().get(openid).and_then(|keys| keys.previous.as_deref()).map(str::to_owned)
    }

    /// Creates a new key, as an early `wx.login` on another device would.
    pub(super) fn rotate(&self, openid: &str, user: &str, now: i64) -> String {
        let mut shard = self.0.of(openid);
        let keys = keys_of(&mut shard, openid, user, now);
        keys.replace(now);
        keys.current.to_string()
    }

    /// Invalidates the key; the next login creates one.
    pub(super) fn expire(&self, openid: &str, user: &str, now: i64) {
        keys_of(&mut self.0.of(openid), openid, user, now).alive = false;
    }

    /// `resetusersessionkey`: creates a key that inherits the old one's age.
    pub(super) fn reset(&self, openid: &str) -> Option<String> {
        let mut shard = self.0.of(openid);
        let keys = shard.entries().get_mut(openid).filter(|keys| keys.alive)?;
        let made_at = keys.made_at;
        keys.replace(made_at);
        Some(keys.current.to_string())
    }
}

impl Keys {
    fn replace(&mut self, now: i64) {
        self.previous = Some(std::mem::replace(&mut self.current, new_key()));
        self.made_at = now;
        self.alive = true;
    }
}

fn keys_of<'a>(shard: &'a mut Shard<Box<str>, Keys>, openid: &str, user: &str, now: i64) -> &'a mut Keys {
    if !shard.entries().contains_key(openid) {
        shard.make_room(|keys| now - keys.used_at < IDLE);
    }
    shard.entries().entry(openid.into()).or_insert_with(|| Keys {
        user: user.into(),
        current: new_key(),
        previous: None,
        made_at: now,
        used_at: now,
        alive: true,
    })
}

fn new_key() -> Box<str> {
    STANDARD.encode(random_bytes::<16>()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_logins_share_a_key_and_later_ones_rotate_it() {
        let keys = SessionKeys::new();
        let first = keys.sign_in("o1", "alice", 1000, 600);
        assert_eq!(first.len(), 24);
        assert_eq!(keys.sign_in("o1", "alice", 1599, 600), first);
        let second = keys.sign_in("o1", "alice", 1600, 600);
        assert_ne!(second, first);
        assert_eq!(keys.previous("o1"), Some(first));
        assert_eq!(keys.current("o1"), Some(second));
        assert_eq!(keys.user("o1").as_deref(), Some("alice"));
    }

    #[test]
    fn an_expired_key_is_followed_by_a_new_one_and_a_reset_keeps_the_age() {
        let keys = SessionKeys::new();
        let first = keys.sign_in("o1", "alice", 1000, 600);
        keys.expire("o1", "alice", 1001);
        assert_eq!((keys.current("o1"), keys.reset("o1")), (None, None));
        let second = keys.sign_in("o1", "alice", 1002, 600);
        assert_ne!(second, first);
        let third = keys.reset("o1").unwrap();
        assert_ne!(third, second);
        assert_eq!(keys.sign_in("o1", "alice", 1601, 600), third);
        assert_ne!(keys.sign_in("o1", "alice", 1602, 600), third);
    }
}

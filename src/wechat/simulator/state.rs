//! The state of the simulated WeChat.

use super::apps::Apps;
use super::codes::Codes;
use super::counters::Counters;
use super::faults::Faults;
use super::identities::{Profile, openid};
use super::shards::Shards;
use super::wire::Noise;
use super::{SimulatedApp, apps::App};
use crate::domain::Clock;
use crate::shared::{read, write};
use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// How long `checkencryptedmsg` knows a ciphertext, in seconds.
pub(super) const CIPHERTEXT_KNOWN: i64 = 3 * 86400;

/// Most ciphertexts that are remembered.
const CIPHERTEXTS: usize = 100_000;

/// The whole state; each part has its own locks.
pub(super) struct State {
    pub(super) apps: Apps,
    pub(super) codes: RwLock<Codes>,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) noise: Noise,
    /// SHA-256 of encrypted phone data, and the Unix second of its creation.
    pub(super) ciphertexts: Shards<String, i64>,
    profiles: RwLock<HashMap<String, Profile>>,
    clock_offset: AtomicI64,
}

impl State {
    pub(super) fn new(apps: Vec<SimulatedApp>) -> Self {
        Self {
            apps: Apps::new(apps),
            codes: RwLock::new(Codes::new()),
            faults: Faults::new(),
            counters: Counters::default(),
            noise: Noise::new(),
            ciphertexts: Shards::new(CIPHERTEXTS),
            profiles: RwLock::default(),
            clock_offset: AtomicI64::new(0),
        }
    }

    /// Restores the initial state, with the configured apps only.
    pub(super) fn reset(&self) {
        self.apps.reset();
        *write(&self.codes) = Codes::new();
        self.faults.clear();
        self.counters.clear();
        self.ciphertexts.clear();
        write(&self.profiles).clear();
        self.clock_offset.store(0, Ordering::Relaxed);
    }

    /// WeChat's clock, in Unix seconds.
    pub(super) fn now(&self) -> i64 {
        Clock::shifted(self.clock_offset()).now().unix()
    }

    /// How far WeChat's clock is ahead, in seconds.
    pub(super) fn clock_offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// Advances WeChat's clock.
    pub(super) fn advance_clock(&self, seconds: i64) {
        self.clock_offset.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The profile of a user.
    pub(super) fn profile(&self, user: &str) -> Profile {
        read(&self.profiles).get(user).cloned().unwrap_or_else(|| Profile::of(user))
    }

    /// Changes the profile of a user.
    pub(super) fn change_profile(&self, user: &str, change: impl FnOnce(&mut Profile)) -> Profile {
        let mut profiles = write(&self.profiles);
        let profile = profiles.entry(user.to_owned()).or_insert_with(|| Profile::of(user));
        change(profile);
        profile.clone()
    }

    /// A user as this app sees them: is there a unionid, and is the login blocked?
    pub(super) fn standing(&self, app: &App, user: &str) -> Standing {
        let profiles = read(&self.profiles);
        let profile = profiles.get(user);
        Standing {
            openid: openid(&app.appid, user),
            unionid: app.switches().unionid && profile.is_none_or(|profile| profile.unionid),
            blocked: profile.is_some_and(|profile| profile.blocked),
        }
    }
}

/// A user as an app sees them.
pub(super) struct Standing {
    pub(super) openid: String,
    pub(super) unionid: bool,
    pub(super) blocked: bool,
}

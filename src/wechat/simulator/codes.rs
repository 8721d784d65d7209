//! The single-use codes of `wx.login` and of the phone button: those issued by the control API,
//! self-describing ones, and a record of every code that was tried.

use super::shards::Shards;
use super::spelled::{Kind, Spelled};
use crate::crypto::{hex, random_bytes};
use std::hash::{BuildHasher, RandomState};

/// Default lifetime of a code, in seconds.
pub(super) const LIFETIME: i64 = 300;

/// How long a tried code is remembered, in seconds; a used one is kept until its space is needed.
const REMEMBERED: i64 = LIFETIME + 30;

/// Most codes remembered, at some 30 bytes each.
const CAPACITY: usize = 4_000_000;

/// A code issued by the control API.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) kind: Kind,
    pub(super) appid: String,
    pub(super) user: String,
    /// The number of a phone code, if it differs from the user's own.
    pub(super) phone: Option<String>,
    pub(super) expires_at: i64,
}

/// What a code was redeemed for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redeemed {
    pub(super) user: String,
    pub(super) phone: Option<String>,
}

/// Why a code is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Never issued, expired, or of the other kind.
    Invalid,
    /// Used before, or burnt by another app.
    Used,
    /// Issued for another app.
    OtherApp,
}

/// What is remembered of a tried code.
#[derive(Default)]
struct Tried {
    forget_at: i64,
    calls: u32,
    used: bool,
}

/// All codes.
pub(super) struct Codes {
    hasher: RandomState,
    issued: Shards<String, Issued>,
    tried: Shards<u64, Tried>,
}

/// The owner of a code, whether it was used or not.
struct Owner {
    user: String,
    phone: Option<String>,
    /// `None` allows either kind.
    kind: Option<Kind>,
    /// `None` allows any app.
    appid: Option<String>,
}

impl Codes {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), issued: Shards::new(CAPACITY), tried: Shards::new(CAPACITY) }
    }

    /// Issues a code: 32 characters for a login, 64 for a phone number.
    pub(super) fn issue(&self, issued: Issued, now: i64) -> String {
        let code = match issued.kind {
            Kind::Login => hex(&random_bytes::<16>()),
            Kind::Phone => hex(&random_bytes::<32>()),
        };
        let mut shard = self.issued.of(&code);
        shard.make_room(|issued| issued.expires_at > now);
        shard.entries().insert(code.clone(), issued);
        code
    }

    /// Records a try of a code; returns the number of tries so far.
    pub(super) fn note_call(&self, code: &str, now: i64) -> u32 {
        self.with_tried(code, now, |tried| {
            tried.calls = tried.calls.saturating_add(1);
            tried.calls
        })
    }

    /// Uses up a code. With `burn`, so does a try by the wrong app.
    pub(super) fn redeem(
        &self,
        code: &str,
        kind: Kind,
        appid: &str,
        burn: bool,
        now: i64,
    ) -> Result<Redeemed, Refused> {
        let owner = self.owner(code, now);
        self.with_tried(code, now, |tried| {
            if tried.used {
                return Err(Refused::Used);
            }
            let owner = owner.ok_or(Refused::Invalid)?;
            if owner.kind.is_some_and(|wanted| wanted != kind) {
                return Err(Refused::Invalid);
            }
            if owner.appid.is_some_and(|wanted| wanted != appid) {
                tried.used = burn;
                return Err(Refused::OtherApp);
            }
            tried.used = true;
            Ok(Redeemed { user: owner.user, phone: owner.phone })
        })
    }

    /// How many codes of the control API are remembered.
    pub(super) fn issued_count(&self) -> usize {
        self.issued.len()
    }

    /// How many tried codes are remembered.
    pub(super) fn tried_count(&self) -> usize {
        self.tried.len()
    }

    fn owner(&self, code: &str, now: i64) -> Option<Owner> {
        let spelled = |user: &str, kind| Owner { user: user.to_owned(), phone: None, kind, appid: None };
        match Spelled::read(code) {
            Spelled::User(kind, user) => Some(spelled(user, Some(kind))),
            Spelled::Fault(_, occasion) => Some(spelled(occasion.user(), None)),
            Spelled::Nothing => {
                let mut shard = self.issued.of(code);
                let issued = shard.entries().get(code).filter(|issued| issued.expires_at > now)?.clone();
                Some(Owner {
                    user: issued.user,
                    phone: issued.phone,
                    kind: Some(issued.kind),
                    appid: Some(issued.appid),
                })
            }
        }
    }

    /// Identifies tried codes by 64 bits of a keyed hash, which is enough to recognise them.
    fn with_tried<T>(&self, code: &str, now: i64, act: impl FnOnce(&mut Tried) -> T) -> T {
        let hash = self.hasher.hash_one(code);
        let mut shard = self.tried.of(&hash);
        if !shard.entries().contains_key(&hash) {
            shard.make_room(|tried| tried.used || tried.forget_at > now);
        }
        let fresh = || Tried { forget_at: now + REMEMBERED, ..Tried::default() };
        let tried = shard.entries().entry(hash).or_insert_with(fresh);
        if tried.forget_at <= now && !tried.used {
            *tried = fresh();
        }
        act(tried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "wx0123456789abcdef";

    #[test]
    fn a_code_works_once_in_its_own_app_and_five_minutes_long() {
        let codes = Codes::new();
        let issued = Issued {
            kind: Kind::Login,
            appid: APP.to_owned(),
            user: "alice".to_owned(),
            phone: None,
            expires_at: 300,
        };
        let code = codes.issue(issued.clone(), 0);
        assert_eq!(codes.redeem(&code, Kind::Phone, APP, true, 1), Err(Refused::Invalid));
        assert_eq!(codes.redeem(&code, Kind::Login, APP, true, 299).unwrap().user, "alice");
        assert_eq!(codes.redeem(&code, Kind::Login, APP, true, 299 + REMEMBERED), Err(Refused::Used));
        let late = codes.issue(issued.clone(), 0);
        assert_eq!(codes.redeem(&late, Kind::Login, APP, true, 300), Err(Refused::Invalid));
        let elsewhere = codes.issue(issued.clone(), 0);
        assert_eq!(codes.redeem(&elsewhere, Kind::Login, "wx1", true, 1), Err(Refused::OtherApp));
        assert_eq!(codes.redeem(&elsewhere, Kind::Login, APP, true, 1), Err(Refused::Used));
        let spared = codes.issue(issued, 0);
        assert_eq!(codes.redeem(&spared, Kind::Login, "wx1", false, 1), Err(Refused::OtherApp));
        assert!(codes.redeem(&spared, Kind::Login, APP, false, 1).is_ok());
    }

    #[test]
    fn codes_that_spell_out_their_user_work_once() {
        let codes = Codes::new();
        assert_eq!(codes.redeem("sim.alice.1", Kind::Login, APP, true, 0).unwrap().user, "alice");
        assert_eq!(codes.redeem("sim.alice.1", Kind::Login, APP, true, 0), Err(Refused::Used));
        assert!(codes.redeem("sim.alice.2", Kind::Login, APP, true, 0).is_ok());
        assert!(codes.redeem("sim-phone.alice.1", Kind::Phone, APP, true, 0).is_ok());
        for wrong in ["sim.alice", "sim.al ice.1", "sim..1", "sim.alice.", "other.alice.1", ""] {
            assert_eq!(codes.redeem(wrong, Kind::Login, APP, true, 0), Err(Refused::Invalid), "{wrong}");
        }
        assert_eq!((codes.note_call("x", 0), codes.note_call("x", 0)), (1, 2));
        for n in 0..6_000 {
            assert!(codes.redeem(&format!("sim.bob.{n}"), Kind::Login, APP, true, 10 * REMEMBERED).is_ok());
        }
        assert_eq!(codes.redeem("sim.alice.1", Kind::Login, APP, true, 20 * REMEMBERED), Err(Refused::Used));
    }
}

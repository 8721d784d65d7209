//! Writes that add and retire keys. Each one locks the keys before it decides, so that of any number of nodes
//! that want the same change, one makes it.

use super::audit::{Audited, audit};
use super::keys::{KeyPurpose, NewKey, StoredKey, load_keys, lock_keys};
use super::schema::{identities, keys};
use super::{DbConn, StoreError, WriteOne};
use crate::domain::{Actor, Time, signing_place};
use diesel::prelude::*;

/// A superseded key due to sign within so many seconds is kept: a node may not learn of the newer one in time.
const IN_USE_SOON: i64 = 10;

/// The condition for a new key.
#[derive(Debug, Clone)]
pub enum RotateIf {
    /// Unconditional.
    Asked,
    /// The newest key has another algorithm.
    AlgorithmDiffers,
    /// The newest key was activated before this time.
    ActiveSinceBefore(Time),
}

/// Adds a new signing key.
#[derive(Debug, Clone)]
pub struct RotateKey {
    /// The new key.
    pub key: NewKey,
    /// The condition.
    pub condition: RotateIf,
    /// Now.
    pub at: Time,
    /// When it starts to sign.
    pub active_from: Time,
    /// Who adds it.
    pub by: Actor,
}

impl WriteOne for RotateKey {
    /// Was it added?
    type Output = bool;

    fn apply_one(&self, conn: &mut DbConn) -> Result<bool, StoreError> {
        lock_keys(conn)?;
        let present = load_keys(conn)?;
        let newest = present.iter().rfind(|key| key.purpose == KeyPurpose::Sign);
        let wanted = match (&self.condition, newest) {
            (RotateIf::Asked, _) => true,
            (RotateIf::AlgorithmDiffers, Some(newest)) => newest.algorithm != self.key.algorithm,
            (RotateIf::ActiveSinceBefore(moment), Some(newest)) => newest.active_from < *moment,
            (_, None) => false,
        };
        if wanted {
            self.supersede(&present, conn)?;
            self.key.insert(self.at, self.active_from, conn)?;
            note(conn, self.at, &self.by, "key.rotate", &self.key.id)?;
        }
        Ok(wanted)
    }
}

impl RotateKey {
    /// Destroys the keys that were to sign later, which never will; one about to sign may be in use already.
    fn supersede(&self, present: &[StoredKey], conn: &mut DbConn) -> Result<(), StoreError> {
        let keys: Vec<&StoredKey> = present.iter().filter(|key| key.purpose == KeyPurpose::Sign).collect();
        let active_from: Vec<Time> = keys.iter().map(|key| key.active_from).collect();
        let (until_now, later) = keys.split_at(keys.len().min(signing_place(&active_from, self.at) + 1));
        // It signs before its time if the clock is behind all keys: the new one is to follow it all the same, even if it
        // is to sign at once.
        if let Some(early) = until_now.last().filter(|key| key.active_from > self.at) {
            let begun = keys::active_from.eq(self.at.plus_seconds(-1).to_stored());
            diesel::update(keys::table.find(&early.id)).set(begun).execute(conn)?;
        }
        for key in later.iter().filter(|key| key.active_from > self.at.plus_seconds(IN_USE_SOON)) {
            retire(conn, &key.id, self.at, &self.by)?;
        }
        Ok(())
    }
}

/// Destroys the signing keys whose last tokens have expired. The rows stay, to be listed.
#[derive(Debug, Clone)]
pub struct RetireDueKeys {
    /// Now.
    pub at: Time,
}

impl WriteOne for RetireDueKeys {
    /// The ids of the destroyed keys.
    type Output = Vec<String>;

    fn apply_one(&self, conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
        lock_keys(conn)?;
        let is_due = |key: &StoredKey| key.verifies_until.is_some_and(|until| until <= self.at);
        let due: Vec<String> = load_keys(conn)?.into_iter().filter(is_due).map(|key| key.id).collect();
        for id in &due {
            retire(conn, id, self.at, &Actor::server())?;
        }
        Ok(due)
    }
}

/// Destroys one key of any purpose at once.
#[derive(Debug, Clone)]
pub struct RetireKey {
    /// The key's id.
    pub id: String,
    /// Now.
    pub at: Time,
    /// Who destroys it.
    pub by: Actor,
}

/// The result of a [`RetireKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// The key was destroyed.
    Done,
    /// There is no such key, or it is already retired.
    Unknown,
    /// No other key could sign now; nothing was done.
    Needed,
}

impl WriteOne for RetireKey {
    type Output = Retirement;

    fn apply_one(&self, conn: &mut DbConn) -> Result<Retirement, StoreError> {
        lock_keys(conn)?;
        let present = load_keys(conn)?;
        let Some(key) = present.iter().find(|key| key.id == self.id) else { return Ok(Retirement::Unknown) };
        let could_sign = |other: &&StoredKey| {
            other.purpose == KeyPurpose::Sign && other.id != self.id && other.active_from <= self.at
        };
        if key.purpose == KeyPurpose::Sign && !present.iter().any(|other| could_sign(&other)) {
            return Ok(Retirement::Needed);
        }
        retire(conn, &self.id, self.at, &self.by)?;
        Ok(Retirement::Done)
    }
}

/// Makes every key verify for long enough for tokens of this lifetime.
#[derive(Debug, Clone)]
pub struct RaiseTokenSeconds {
    /// The lifetime of a node's access tokens, in seconds.
    pub seconds: i64,
}

impl WriteOne for RaiseTokenSeconds {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let shorter = keys::table.filter(keys::token_seconds.lt(self.seconds));
        let shorter = shorter.filter(keys::retired_at.is_null().and(keys::purpose.eq("sign")));
        diesel::update(shorter).set(keys::token_seconds.eq(self.seconds)).execute(conn)?;
        Ok(())
    }
}

/// Destroys all our keys and all WeChat session keys: the last resort when the master key is lost.
#[derive(Debug, Clone)]
pub struct ResetKeys {
    /// Now.
    pub at: Time,
    /// Who does it.
    pub by: Actor,
}

impl WriteOne for ResetKeys {
    /// The number of keys destroyed.
    type Output = usize;

    fn apply_one(&self, conn: &mut DbConn) -> Result<usize, StoreError> {
        lock_keys(conn)?;
        let present = load_keys(conn)?;
        for key in &present {
            retire(conn, &key.id, self.at, &self.by)?;
        }
        diesel::update(identities::table)
            .set((
                identities::session_key.eq(None::<Vec<u8>>),
                identities::session_key_digest.eq(None::<String>),
                identities::previous_session_key.eq(None::<Vec<u8>>),
                identities::previous_session_key_until.eq(None::<chrono::NaiveDateTime>),
            ))
            .execute(conn)?;
        Ok(present.len())
    }
}

fn retire(conn: &mut DbConn, id: &str, at: Time, by: &Actor) -> Result<(), StoreError> {
    let destroyed = (keys::sealed.eq(Vec::new()), keys::retired_at.eq(at.to_stored()));
    diesel::update(keys::table.find(id)).set(destroyed).execute(conn)?;
    note(conn, at, by, "key.retire", id)
}

fn note(conn: &mut DbConn, at: Time, by: &Actor, action: &str, target: &str) -> Result<(), StoreError> {
    audit(conn, &Audited { at, by, action, target, detail: None })
}

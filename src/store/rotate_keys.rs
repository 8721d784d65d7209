//! What changes the keys: a new one comes in, an old one goes. Each write decides under a lock by the keys that
//! then stand, so that of any number of nodes that want the same one does it.

use super::audit::{Audited, audit};
use super::keys::{KeyPurpose, NewKey, StoredKey, load_keys, lock_keys};
use super::schema::{identities, keys};
use super::{DbConn, StoreError, WriteOne};
use crate::domain::{Actor, Time};
use diesel::prelude::*;

/// A key that signs within so many seconds may sign on a node that has not heard yet that it is overtaken.
const IN_USE_SOON: i64 = 10;

/// When a new key is to come in.
#[derive(Debug, Clone)]
pub enum RotateIf {
    /// In any case.
    Asked,
    /// If the newest key is of another algorithm than the new one.
    AlgorithmDiffers,
    /// If the newest key has been active since before this moment.
    ActiveSinceBefore(Time),
}

/// Brings in a new signing key.
#[derive(Debug, Clone)]
pub struct RotateKey {
    /// The new one.
    pub key: NewKey,
    /// On this condition.
    pub condition: RotateIf,
    /// Now.
    pub at: Time,
    /// From when on it signs.
    pub active_from: Time,
    /// Who does it.
    pub by: Actor,
}

impl WriteOne for RotateKey {
    /// Did it come in?
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
            // A key that was to sign later is overtaken and never signs; one that is about to may be in use already.
            let overtaken = |key: &&StoredKey| {
                key.purpose == KeyPurpose::Sign && key.active_from > self.at.plus_seconds(IN_USE_SOON)
            };
            for key in present.iter().filter(overtaken) {
                retire(conn, &key.id, self.at, &self.by)?;
            }
            self.key.insert(self.at, self.active_from, conn)?;
            note(conn, self.at, &self.by, "key.rotate", &self.key.id)?;
        }
        Ok(wanted)
    }
}

/// Destroys the signing keys whose last tokens have ended. The rows stay, to be listed.
#[derive(Debug, Clone)]
pub struct RetireDueKeys {
    /// Now.
    pub at: Time,
}

impl WriteOne for RetireDueKeys {
    /// The ids of those that went.
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

/// Destroys one key at once, of whichever purpose.
#[derive(Debug, Clone)]
pub struct RetireKey {
    /// Which.
    pub id: String,
    /// Now.
    pub at: Time,
    /// Who does it.
    pub by: Actor,
}

/// What became of a [`RetireKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// It is destroyed.
    Done,
    /// There is no such key, or it is retired already.
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

/// Makes sure that every key verifies for as long as tokens of this life may need it.
#[derive(Debug, Clone)]
pub struct RaiseTokenSeconds {
    /// The life of a node's access tokens, in seconds.
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

/// Destroys every key and every session key of WeChat: what is left to do when the master key is lost.
#[derive(Debug, Clone)]
pub struct ResetKeys {
    /// Now.
    pub at: Time,
    /// Who does it.
    pub by: Actor,
}

impl WriteOne for ResetKeys {
    /// How many keys were destroyed.
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

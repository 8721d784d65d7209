//! The server's own keys. They are sealed before they get here and opened after they leave.

use super::connection::per_dialect;
use super::schema::keys;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::crypto::Sealed;
use crate::domain::{KEPT_AFTER_LAST_TOKEN, Time};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// The purpose of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Signs access tokens.
    Sign,
    /// Authenticates refresh tokens.
    Refresh,
}

impl KeyPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Refresh => "refresh",
        }
    }
}

/// A key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The `kid` of a signing key.
    pub id: String,
    /// Its purpose.
    pub purpose: KeyPurpose,
    /// JWA name (RFC 7518), such as `EdDSA`.
    pub algorithm: String,
    /// The private key, sealed under the master key for [`NewKey::seal_row`]; empty once retired.
    pub sealed: Sealed,
    /// The longest lifetime of the tokens it signs, in seconds.
    pub token_seconds: i64,
    /// When it was created.
    pub created_at: Time,
    /// When it starts to sign.
    pub active_from: Time,
    /// Until when it must verify, if another key signs after it.
    pub verifies_until: Option<Time>,
    /// When its private key was destroyed.
    pub retired_at: Option<Time>,
}

/// A key to store.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The `kid` of a signing key.
    pub id: String,
    /// Its purpose.
    pub purpose: KeyPurpose,
    /// JWA name (RFC 7518).
    pub algorithm: String,
    /// The private key, sealed under the master key for [`NewKey::seal_row`].
    pub sealed: Sealed,
    /// The longest lifetime of the tokens it signs, in seconds.
    pub token_seconds: i64,
}

impl NewKey {
    /// The row identity under which a key is sealed.
    pub fn seal_row(id: &str) -> String {
        format!("key:{id}")
    }

    pub(super) fn insert(&self, at: Time, active_from: Time, conn: &mut DbConn) -> Result<(), StoreError> {
        let row = (
            keys::id.eq(&self.id),
            keys::purpose.eq(self.purpose.as_str()),
            keys::algorithm.eq(&self.algorithm),
            keys::sealed.eq(&self.sealed),
            keys::token_seconds.eq(self.token_seconds),
            keys::created_at.eq(at.to_stored()),
            keys::active_from.eq(active_from.to_stored()),
        );
        per_dialect!(conn, conn => diesel::insert_into(keys::table).values(row).execute(conn))?;
        Ok(())
    }
}

/// All keys that are not retired, in order of activation.
pub struct LoadKeys;

impl Query for LoadKeys {
    type Output = Vec<StoredKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        load_keys(conn)
    }
}

/// The retired keys, in order of activation.
pub struct ListRetiredKeys;

impl Query for ListRetiredKeys {
    type Output = Vec<StoredKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let rows = keys::table.filter(keys::retired_at.is_not_null());
        let rows = rows.order((keys::active_from, keys::id)).select(KeyRow::as_select()).load(conn)?;
        Ok(rows.into_iter().map(KeyRow::into_key).collect())
    }
}

/// Stores these keys for each purpose that has none; returns the keys that then exist. If nodes start
/// together on an empty database, one of them wins, and all use its keys.
pub struct StoreFirstKeys {
    /// The initial keys.
    pub keys: Vec<NewKey>,
    /// Now.
    pub at: Time,
}

impl WriteOne for StoreFirstKeys {
    type Output = Vec<StoredKey>;

    fn apply_one(&self, conn: &mut DbConn) -> Result<Vec<StoredKey>, StoreError> {
        lock_keys(conn)?;
        let present = load_keys(conn)?;
        for key in &self.keys {
            if present.iter().all(|present| present.purpose != key.purpose) {
                key.insert(self.at, self.at, conn)?;
            }
        }
        load_keys(conn)
    }
}

/// Locks the keys until the end of the transaction, for writes that depend on which keys exist. (On SQLite, a
/// writing transaction is exclusive from its beginning.)
pub(super) fn lock_keys(conn: &mut DbConn) -> Result<(), StoreError> {
    if let DbConn::Postgres(conn) = conn {
        conn.batch_execute("LOCK TABLE keys IN EXCLUSIVE MODE")?;
    }
    Ok(())
}

/// The keys that are not retired, in order of activation.
pub(super) fn load_keys(conn: &mut DbConn) -> Result<Vec<StoredKey>, StoreError> {
    let rows = keys::table.filter(keys::retired_at.is_null());
    let rows = rows.order((keys::active_from, keys::id)).select(KeyRow::as_select()).load(conn)?;
    let mut keys: Vec<StoredKey> = rows.into_iter().map(KeyRow::into_key).collect();
    let mut successor = None;
    for key in keys.iter_mut().rev().filter(|key| key.purpose == KeyPurpose::Sign) {
        key.verifies_until =
            successor.map(|next: Time| next.plus_seconds(key.token_seconds + KEPT_AFTER_LAST_TOKEN));
        successor = Some(key.active_from);
    }
    Ok(keys)
}

/// A row of `keys`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = keys)]
struct KeyRow {
    id: String,
    purpose: String,
    algorithm: String,
    sealed: Sealed,
    token_seconds: i64,
    created_at: Time,
    active_from: Time,
    retired_at: Option<Time>,
}

impl KeyRow {
    fn into_key(self) -> StoredKey {
        StoredKey {
            id: self.id,
            purpose: if self.purpose == "refresh" { KeyPurpose::Refresh } else { KeyPurpose::Sign },
            algorithm: self.algorithm,
            sealed: self.sealed,
            token_seconds: self.token_seconds,
            created_at: self.created_at,
            active_from: self.active_from,
            verifies_until: None,
            retired_at: self.retired_at,
        }
    }
}

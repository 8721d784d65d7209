//! The server's own keys. They are sealed before they come here and opened after they leave.

use super::connection::per_dialect;
use super::schema::keys;
use super::{DbConn, Query, StoreError, Write};
use crate::crypto::Sealed;
use crate::domain::Time;
use chrono::NaiveDateTime;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// What a key is for.
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

/// A key as it lies in the database.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The `kid` of a signing key.
    pub id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// JWA name (RFC 7518), such as `EdDSA`.
    pub algorithm: String,
    /// The private part under the master key; the row's identity is `key:` and the id.
    pub sealed: Sealed,
    /// From when on it signs.
    pub active_from: Time,
}

/// A key to be stored.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The `kid` of a signing key.
    pub id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// JWA name (RFC 7518).
    pub algorithm: String,
    /// The private part under the master key.
    pub sealed: Sealed,
}

/// All keys that are not retired, oldest first.
pub struct LoadKeys;

impl Query for LoadKeys {
    type Output = Vec<StoredKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        load_keys(conn)
    }
}

/// Stores these keys where there are none yet; gives back whichever then stand. Of nodes that start
/// together on an empty database one wins, and all use its keys.
pub struct StoreFirstKeys {
    /// The keys to begin with.
    pub keys: Vec<NewKey>,
    /// Now.
    pub at: Time,
}

impl Write for StoreFirstKeys {
    type Output = Vec<StoredKey>;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Self::Output>, StoreError> {
        batch.iter().map(|first| first.apply_one(conn)).collect()
    }
}

impl StoreFirstKeys {
    fn apply_one(&self, conn: &mut DbConn) -> Result<Vec<StoredKey>, StoreError> {
        if let DbConn::Postgres(conn) = conn {
            conn.batch_execute("LOCK TABLE keys IN EXCLUSIVE MODE")?;
        }
        let present = load_keys(conn)?;
        if !present.is_empty() {
            return Ok(present);
        }
        for key in &self.keys {
            let row = (
                keys::id.eq(&key.id),
                keys::purpose.eq(key.purpose.as_str()),
                keys::algorithm.eq(&key.algorithm),
                keys::sealed.eq(&key.sealed),
                keys::created_at.eq(self.at.to_stored()),
                keys::active_from.eq(self.at.to_stored()),
            );
            per_dialect!(conn, conn => diesel::insert_into(keys::table).values(row).execute(conn))?;
        }
        load_keys(conn)
    }
}

fn load_keys(conn: &mut DbConn) -> Result<Vec<StoredKey>, StoreError> {
    type Row = (String, String, String, Sealed, NaiveDateTime);
    let rows: Vec<Row> = keys::table
        .filter(keys::retired_at.is_null())
        .order((keys::active_from, keys::id))
        .select((keys::id, keys::purpose, keys::algorithm, keys::sealed, keys::active_from))
        .load(conn)?;
    let stored = |(id, purpose, algorithm, sealed, active_from): Row| StoredKey {
        id,
        purpose: if purpose == "refresh" { KeyPurpose::Refresh } else { KeyPurpose::Sign },
        algorithm,
        sealed,
        active_from: Time::from_stored(active_from),
    };
    Ok(rows.into_iter().map(stored).collect())
}

//! API keys of backends: rows and queries. Only the digest of a key is stored.

use super::audit::{Audited, audit};
use super::connection::per_dialect;
use super::schema::api_keys;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{Actor, ApiKeyHash, ApiKeyName, ApiScope, Time};
use diesel::prelude::*;

/// An API key as stored.
#[derive(Debug, Clone)]
pub struct StoredApiKey {
    /// The digest of the key.
    pub hash: ApiKeyHash,
    /// Its name.
    pub name: ApiKeyName,
    /// The beginning of the key.
    pub hint: String,
    /// Its scopes, without those that this version does not know.
    pub scopes: Vec<ApiScope>,
    /// When it was created.
    pub created_at: Time,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// The columns of an API key.
type Row = (String, String, String, String, Time, Option<Time>, Option<Time>);

impl StoredApiKey {
    fn of((hash, name, hint, scopes, created_at, last_used_at, revoked_at): Row) -> Self {
        Self {
            hash: ApiKeyHash::from_stored(hash),
            name: ApiKeyName::from_stored(name),
            hint,
            scopes: scopes.split_ascii_whitespace().filter_map(ApiScope::parse).collect(),
            created_at,
            last_used_at,
            revoked_at,
        }
    }
}

/// The API keys that are not revoked, in no particular order.
#[derive(Debug)]
pub struct FindApiKeysInUse;

impl Query for FindApiKeysInUse {
    type Output = Vec<StoredApiKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let rows: Vec<Row> = api_keys::table.filter(api_keys::revoked_at.is_null()).load(conn)?;
        Ok(rows.into_iter().map(StoredApiKey::of).collect())
    }
}

/// All API keys, including revoked ones, by name and then by age.
#[derive(Debug)]
pub struct ListApiKeys;

impl Query for ListApiKeys {
    type Output = Vec<StoredApiKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let rows: Vec<Row> = api_keys::table.order((api_keys::name, api_keys::created_at)).load(conn)?;
        Ok(rows.into_iter().map(StoredApiKey::of).collect())
    }
}

/// Adds an API key; returns false if an active key has that name.
#[derive(Debug)]
pub struct AddApiKey {
    /// The digest of the key.
    pub hash: ApiKeyHash,
    /// Its name.
    pub name: ApiKeyName,
    /// The beginning of the key.
    pub hint: String,
    /// Its scopes.
    pub scopes: Vec<ApiScope>,
    /// Now.
    pub at: Time,
    /// Who adds it.
    pub by: Actor,
}

impl WriteOne for AddApiKey {
    type Output = bool;

    fn apply_one(&self, conn: &mut DbConn) -> Result<bool, StoreError> {
        let scopes = self.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let row = (
            api_keys::hash.eq(self.hash.as_str()),
            api_keys::name.eq(self.name.as_str()),
            api_keys::hint.eq(&self.hint),
            api_keys::scopes.eq(&scopes),
            api_keys::created_at.eq(self.at.to_stored()),
        );
        // A unique index decides: if two callers add the same name at once, one succeeds.
        let insert = diesel::insert_into(api_keys::table).values(row).on_conflict_do_nothing();
        let added = per_dialect!(conn, conn => insert.execute(conn))?;
        if added == 1 {
            let detail = format!("{} {scopes}", self.hint);
            let (at, by, target) = (self.at, &self.by, self.name.as_str());
            audit(conn, &Audited { at, by, action: "api_key.add", target, detail: Some(&detail) })?;
        }
        Ok(added == 1)
    }
}

/// Revokes the API key with this name.
#[derive(Debug)]
pub struct RevokeApiKey {
    /// The key's name.
    pub name: ApiKeyName,
    /// Now.
    pub at: Time,
    /// Who revokes it.
    pub by: Actor,
}

/// The result of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedApiKey {
    /// The key is revoked now.
    Now,
    /// It was already revoked.
    Before,
    /// There never was a key with that name.
    Unknown,
}

impl WriteOne for RevokeApiKey {
    type Output = RevokedApiKey;

    fn apply_one(&self, conn: &mut DbConn) -> Result<RevokedApiKey, StoreError> {
        let named = api_keys::table.filter(api_keys::name.eq(self.name.as_str()));
        let in_use = named.filter(api_keys::revoked_at.is_null());
        let hint: Option<String> = in_use.select(api_keys::hint).first(conn).optional()?;
        let Some(hint) = hint else {
            let known: bool = diesel::select(diesel::dsl::exists(named)).get_result(conn)?;
            return Ok(if known { RevokedApiKey::Before } else { RevokedApiKey::Unknown });
        };
        diesel::update(in_use).set(api_keys::revoked_at.eq(self.at.to_stored())).execute(conn)?;
        let (at, by, target) = (self.at, &self.by, self.name.as_str());
        audit(conn, &Audited { at, by, action: "api_key.revoke", target, detail: Some(&hint) })?;
        Ok(RevokedApiKey::Now)
    }
}

/// Records when these API keys were last used; never moves a time backwards.
#[derive(Debug)]
pub struct NoteApiKeyUses(pub Vec<(ApiKeyHash, Time)>);

impl WriteOne for NoteApiKeyUses {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        for (hash, at) in &self.0 {
            let at = at.to_stored();
            let earlier = api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(at));
            diesel::update(api_keys::table.find(hash.as_str()).filter(earlier))
                .set(api_keys::last_used_at.eq(at))
                .execute(conn)?;
        }
        Ok(())
    }
}

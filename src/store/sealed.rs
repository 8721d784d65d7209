//! All values sealed under the master key, so that they can be resealed under a new one. Every column with
//! sealed values has a [`SealedPlace`]; a test counts the columns.

use super::audit::{Audited, audit};
use super::keys::NewKey;
use super::schema::{identities, keys};
use super::walk::after;
use super::{DbConn, Query, RecordSignIn, StoreError, WriteOne};
use crate::crypto::Sealed;
use crate::domain::{Actor, AppId, OpenId, Time};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// The location of a sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedPlace {
    /// The session key of an identity.
    SessionKey(AppId, OpenId),
    /// The session key before it.
    PreviousSessionKey(AppId, OpenId),
    /// The private part of one of our keys.
    Key(String),
}

impl SealedPlace {
    /// The row identity for which it is sealed.
    pub fn seal_row(&self) -> String {
        match self {
            Self::SessionKey(app, openid) | Self::PreviousSessionKey(app, openid) => {
                RecordSignIn::seal_row(app, openid)
            }
            Self::Key(id) => NewKey::seal_row(id),
        }
    }
}

impl std::fmt::Display for SealedPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SessionKey(app, openid) => {
                write!(f, "identities.session_key of {app}, {}", openid.as_str())
            }
            Self::PreviousSessionKey(app, openid) => {
                write!(f, "identities.previous_session_key of {app}, {}", openid.as_str())
            }
            Self::Key(id) => write!(f, "keys.sealed of {id}"),
        }
    }
}

/// A value and its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// The location.
    pub place: SealedPlace,
    /// The value.
    pub sealed: Sealed,
}

/// A position in the scan of all rows with sealed values. Keys come last: a server does not start with a
/// master key that opens none of them, and so not with the new one alone until the scan is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedCursor {
    /// After the identity with this appid and openid.
    Identities(String, String),
    /// After this key.
    Keys(String),
}

impl Default for SealedCursor {
    fn default() -> Self {
        Self::Identities(String::new(), String::new())
    }
}

/// Counts the rows of the scan.
pub struct CountSealed;

impl Query for CountSealed {
    type Output = u64;

    fn run(&self, conn: &mut DbConn) -> Result<u64, StoreError> {
        let of_identities: i64 = identities::table.count().get_result(conn)?;
        let of_keys: i64 = keys::table.filter(keys::retired_at.is_null()).count().get_result(conn)?;
        Ok(of_identities.saturating_add(of_keys).unsigned_abs())
    }
}

/// Reads a batch of rows with sealed values, in key order.
pub struct FindSealed {
    /// The position to continue from.
    pub after: SealedCursor,
    /// How many rows to read.
    pub limit: i64,
}

/// The sealed values of a batch of rows, and the position to continue from.
#[derive(Debug)]
pub struct SealedBite {
    /// The values.
    pub values: Vec<SealedValue>,
    /// How many rows were read.
    pub rows: u64,
    /// The last row read; `None` at the end.
    pub next: Option<SealedCursor>,
}

impl Query for FindSealed {
    type Output = SealedBite;

    fn run(&self, conn: &mut DbConn) -> Result<SealedBite, StoreError> {
        match &self.after {
            SealedCursor::Identities(appid, openid) => self.in_identities(appid, openid, conn),
            SealedCursor::Keys(id) => self.in_keys(id, conn),
        }
    }
}

impl FindSealed {
    fn in_identities(&self, appid: &str, openid: &str, conn: &mut DbConn) -> Result<SealedBite, StoreError> {
        type Row = (String, String, Option<Sealed>, Option<Sealed>);
        let rows: Vec<Row> = identities::table
            .filter(after("appid, openid", appid, openid))
            .order((identities::appid, identities::openid))
            .limit(self.limit)
            .select((
                identities::appid,
                identities::openid,
                identities::session_key,
                identities::previous_session_key,
            ))
            .load(conn)?;
        let at_end = (rows.len() as i64) < self.limit;
        let last = rows.last().filter(|_| !at_end);
        let next = last.map_or(SealedCursor::Keys(String::new()), |row| {
            SealedCursor::Identities(row.0.clone(), row.1.clone())
        });
        let looked_at = rows.len() as u64;
        let values = rows.into_iter().flat_map(|(appid, openid, current, previous)| {
            let (app, openid) = (AppId::from_stored(&appid), OpenId::from_stored(openid));
            let previous_place = SealedPlace::PreviousSessionKey(app.clone(), openid.clone());
            let current =
                current.map(|sealed| SealedValue { place: SealedPlace::SessionKey(app, openid), sealed });
            let previous = previous.map(|sealed| SealedValue { place: previous_place, sealed });
            [current, previous].into_iter().flatten()
        });
        Ok(SealedBite { values: values.collect(), rows: looked_at, next: Some(next) })
    }

    fn in_keys(&self, id: &str, conn: &mut DbConn) -> Result<SealedBite, StoreError> {
        let rows = keys::table.filter(keys::retired_at.is_null().and(keys::id.gt(id)));
        let rows: Vec<(String, Sealed)> =
            rows.order(keys::id).limit(self.limit).select((keys::id, keys::sealed)).load(conn)?;
        let at_end = (rows.len() as i64) < self.limit;
        let next = rows.last().filter(|_| !at_end).map(|row| SealedCursor::Keys(row.0.clone()));
        let looked_at = rows.len() as u64;
        let value = |(id, sealed)| SealedValue { place: SealedPlace::Key(id), sealed };
        Ok(SealedBite { values: rows.into_iter().map(value).collect(), rows: looked_at, next })
    }
}

/// A resealed value.
#[derive(Debug, Clone)]
pub struct Resealed {
    /// The value as it was read.
    pub was: SealedValue,
    /// The new value.
    pub now: Sealed,
}

/// Writes values back, each only if the row still holds the value that was read: a login in between may have
/// stored a newer session key.
#[derive(Debug, Clone)]
pub struct Reseal(pub Vec<Resealed>);

impl WriteOne for Reseal {
    /// How many were written.
    type Output = usize;

    fn apply_one(&self, conn: &mut DbConn) -> Result<usize, StoreError> {
        // Gives up early rather than deadlock with a group of logins.
        if let DbConn::Postgres(conn) = conn {
            conn.batch_execute("SET LOCAL lock_timeout = '200ms'")?;
        }
        self.0.iter().map(|value| value.write(conn)).sum()
    }
}

impl Resealed {
    fn write(&self, conn: &mut DbConn) -> Result<usize, StoreError> {
        let (was, now) = (&self.was.sealed, &self.now);
        let written = match &self.was.place {
            SealedPlace::SessionKey(app, openid) => {
                let row = identities::table.find((app.as_str(), openid.as_str()));
                diesel::update(row.filter(identities::session_key.eq(was)))
                    .set(identities::session_key.eq(now))
                    .execute(conn)
            }
            SealedPlace::PreviousSessionKey(app, openid) => {
                let row = identities::table.find((app.as_str(), openid.as_str()));
                diesel::update(row.filter(identities::previous_session_key.eq(was)))
                    .set(identities::previous_session_key.eq(now))
                    .execute(conn)
            }
            SealedPlace::Key(id) => diesel::update(keys::table.find(id).filter(keys::sealed.eq(was)))
                .set(keys::sealed.eq(now))
                .execute(conn),
        };
        Ok(written?)
    }
}

/// Records in the audit log that somebody sets out to seal everything anew.
#[derive(Debug)]
pub struct NoteResealing {
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Time,
}

impl WriteOne for NoteResealing {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let (at, by, target) = (self.at, &self.by, "master key");
        audit(conn, &Audited { at, by, action: "key.reencrypt", target, detail: None })
    }
}

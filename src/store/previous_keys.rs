//! Session keys that WeChat replaced: they are kept for some minutes, for what was encrypted before.

use super::prepared::prepared;
use super::schema::identities;
use super::walk::after;
use super::{Bite, DbConn, Query, StoreError, WriteOne};
use crate::domain::Time;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamp};
use diesel::sqlite::Sqlite;

/// The key of an identity, and thereby a position in the order of keys. The default is before the first row.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Queryable)]
pub struct IdentityKey {
    appid: String,
    openid: String,
}

/// Reads a number of identities, in key order; those whose previous session key is over are due.
#[derive(Debug)]
pub struct FindPreviousKeys {
    /// The position to continue from.
    pub after: IdentityKey,
    /// Now.
    pub at: Time,
    /// How many rows to read.
    pub limit: i64,
}

impl Query for FindPreviousKeys {
    type Output = Bite<IdentityKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Bite<IdentityKey>, StoreError> {
        let key = (identities::appid, identities::openid);
        let rows = identities::table
            .filter(after("appid, openid", &self.after.appid, &self.after.openid))
            .order(key)
            .limit(self.limit)
            .select((key, identities::previous_session_key_until))
            .load::<(IdentityKey, Option<Time>)>(conn)?;
        Ok(Bite::of(rows, self.limit, |until| until.is_some_and(|until| until <= self.at)))
    }
}

/// Clears the previous session keys of these identities, unless WeChat has changed the key again since.
#[derive(Debug)]
pub struct ClearPreviousKeys {
    /// The identities.
    pub of: Vec<IdentityKey>,
    /// Now.
    pub at: Time,
}

prepared! {
    /// One identity's.
    ClearPreviousKey<'a> on Sqlite { appid: Text = &'a str, openid: Text = &'a str, at: Timestamp = Time } -> (),
    "UPDATE identities SET previous_session_key = NULL, previous_session_key_until = NULL
     WHERE appid = ? AND openid = ? AND previous_session_key_until <= ?"
}

prepared! {
    /// All of them in one round trip.
    ClearAllPreviousKeys<'a> on Pg {
        appids: Array<Text> = Vec<&'a str>, openids: Array<Text> = Vec<&'a str>, at: Timestamp = Time,
    } -> (),
    "UPDATE identities i SET previous_session_key = NULL, previous_session_key_until = NULL
     FROM unnest(?, ?) AS t (appid, openid)
     WHERE i.appid = t.appid AND i.openid = t.openid AND i.previous_session_key_until <= ?"
}

impl WriteOne for ClearPreviousKeys {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        // In the order in which a sign-in locks them, which need not be the database's.
        let mut keys: Vec<&IdentityKey> = self.of.iter().collect();
        keys.sort_unstable();
        let keys = keys.into_iter().map(|key| (key.appid.as_str(), key.openid.as_str()));
        match conn {
            DbConn::Sqlite(conn) => {
                for (appid, openid) in keys {
                    ClearPreviousKey { appid, openid, at: self.at }.execute(conn)?;
                }
            }
            DbConn::Postgres(conn) => {
                let (appids, openids) = keys.unzip();
                ClearAllPreviousKeys { appids, openids, at: self.at }.execute(conn)?;
            }
        }
        Ok(())
    }
}

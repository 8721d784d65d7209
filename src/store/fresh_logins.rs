//! Deferred indexing of logins, on SQLite.
//!
//! SQLite writes whole pages, and the entries of an index by user or by code are scattered: each login would
//! write a page or two of its own. So a login appends to `fresh_logins` instead, and about once a second
//! these rows are moved to `user_sessions` and `exchanges` as a batch, in key order, where many entries share
//! a page. All of it is durable with the login. Every lookup in these indexes also scans `fresh_logins`,
//! which is therefore kept short. Postgres, which writes rows, has ordinary indexes.

use super::prepared::prepared;
use super::schema::{fresh_logins, user_sessions};
use super::{DbConn, Query, StoreError, WriteOne};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

/// A temporary in-memory index over the codes in `fresh_logins`, on the writing connection: no code is recorded twice.
pub(super) const INDEX_FRESH_CODES: &str = "CREATE TEMP TABLE fresh_codes (
        appid TEXT NOT NULL, code_hash TEXT NOT NULL, PRIMARY KEY (appid, code_hash)
    ) WITHOUT ROWID;
    INSERT OR IGNORE INTO temp.fresh_codes SELECT appid, code_hash FROM main.fresh_logins;";

/// Most logins that are read at once.
const MOST: i64 = 50_000;

/// The logins after this one; none on Postgres.
#[derive(Debug)]
pub struct FindFreshLogins(pub i64);

/// Logins that are not indexed yet.
#[derive(Debug, Default)]
pub struct FreshLogins {
    /// The last of them.
    pub last: i64,
    /// Their users, sorted.
    pub users: Vec<String>,
    /// The digests of their codes, sorted.
    pub codes: Vec<String>,
}

impl Query for FindFreshLogins {
    type Output = FreshLogins;

    fn run(&self, conn: &mut DbConn) -> Result<FreshLogins, StoreError> {
        let DbConn::Sqlite(conn) = conn else { return Ok(FreshLogins::default()) };
        let columns = (fresh_logins::seq, fresh_logins::user_id, fresh_logins::code_hash);
        let oldest = fresh_logins::table.filter(fresh_logins::seq.gt(self.0)).order(fresh_logins::seq);
        let oldest = oldest.limit(MOST).select(columns);
        let mut found = FreshLogins::default();
        for (seq, user, code) in oldest.load::<(i64, String, String)>(conn)? {
            found.last = seq;
            found.users.push(user);
            found.codes.push(code);
        }
        found.users.sort_unstable();
        found.codes.sort_unstable();
        Ok(found)
    }
}

/// A key range of an index.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Logins up to this one.
    pub last: i64,
    /// After this key.
    pub after: String,
    /// Up to and including this key.
    pub through: String,
}

/// Adds a key range of the fresh logins to the index of sessions by user.
#[derive(Debug)]
pub struct IndexUserSessions(pub Stretch);

prepared! {
    /// Skips sessions that have already ended.
    EnterUserSessions<'a> on Sqlite { last: BigInt = i64, after: Text = &'a str, through: Text = &'a str } -> (),
    "INSERT OR IGNORE INTO user_sessions (user_id, session_id)
     SELECT f.user_id, f.session_id FROM fresh_logins f
     WHERE f.seq <= ? AND f.user_id > ? AND f.user_id <= ?
         AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = f.session_id)
     ORDER BY f.user_id, f.session_id"
}

impl WriteOne for IndexUserSessions {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let Self(stretch) = self;
        if let DbConn::Sqlite(conn) = conn {
            let Stretch { last, after, through } = stretch;
            EnterUserSessions { last: *last, after, through }.execute(conn)?;
        }
        Ok(())
    }
}

/// Adds a key range of the fresh logins to the table of exchanges.
#[derive(Debug)]
pub struct IndexExchanges(pub Stretch);

prepared! {
    /// In the order of the table. Skips the codes of deleted users.
    EnterExchanges<'a> on Sqlite { last: BigInt = i64, after: Text = &'a str, through: Text = &'a str } -> (),
    "INSERT OR IGNORE INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
     SELECT appid, code_hash, user_id, session_id, idempotency_key, exchanged_at FROM fresh_logins
     WHERE seq <= ? AND code_hash > ? AND code_hash <= ? AND user_id > '' ORDER BY appid, code_hash"
}

impl WriteOne for IndexExchanges {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let Self(stretch) = self;
        if let DbConn::Sqlite(conn) = conn {
            let Stretch { last, after, through } = stretch;
            EnterExchanges { last: *last, after, through }.execute(conn)?;
        }
        Ok(())
    }
}

/// Removes the logins before this one from `fresh_logins`, once both indexes have them.
///
/// This one stays until there is a later one, so that its number is not reused, and a newer login is never
/// taken for an indexed one.
#[derive(Debug)]
pub struct ForgetFreshLogins(pub i64);

prepared! {
    /// Deletes indexed logins.
    DeleteFreshLogins on Sqlite { before: BigInt = i64 } -> (), "DELETE FROM fresh_logins WHERE seq < ?"
}

prepared! {
    /// Clears the temporary index.
    ClearFreshCodes on Sqlite {} -> (), "DELETE FROM temp.fresh_codes"
}

prepared! {
    /// Refills it with the remaining rows.
    FillFreshCodes on Sqlite {} -> (),
    "INSERT OR IGNORE INTO temp.fresh_codes SELECT appid, code_hash FROM main.fresh_logins"
}

impl WriteOne for ForgetFreshLogins {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            DeleteFreshLogins { before: self.0 }.execute(conn)?;
            ClearFreshCodes {}.execute(conn)?;
            FillFreshCodes {}.execute(conn)?;
        }
        Ok(())
    }
}

/// Clears a user's id in `fresh_logins`; the rows stay, so that no number is reused.
pub(super) fn forget_user(conn: &mut DbConn, user: &str) -> Result<(), StoreError> {
    if let DbConn::Sqlite(conn) = conn {
        let theirs = fresh_logins::table.filter(fresh_logins::user_id.eq(user));
        diesel::update(theirs).set(fresh_logins::user_id.eq("")).execute(conn)?;
    }
    Ok(())
}

/// Removes an ended session from the index.
pub(super) fn forget_user_session(conn: &mut DbConn, user: &str, session: &str) -> Result<(), StoreError> {
    if let DbConn::Sqlite(conn) = conn {
        diesel::delete(user_sessions::table.find((user, session))).execute(conn)?;
    }
    Ok(())
}

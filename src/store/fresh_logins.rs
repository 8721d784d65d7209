//! What logins leave to be indexed, on SQLite.
//!
//! SQLite writes whole pages, and the entries of an index by user or by code lie all over: each login would cost
//! a page or two of its own. So a login appends to `fresh_logins` instead, and about once a second what stands
//! there goes into `user_sessions` and `exchanges` together, in the order of their keys, where many entries share
//! a page. All of it is durable with the login; whoever looks into an index looks here too, which is why it is
//! kept short. Postgres, which writes rows, has ordinary indexes.

use super::prepared::prepared;
use super::schema::{fresh_logins, user_sessions};
use super::{DbConn, Query, StoreError, WriteOne};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

/// An index in memory, of the writing connection alone, over the codes in `fresh_logins`: no code is recorded twice.
pub(super) const INDEX_FRESH_CODES: &str = "CREATE TEMP TABLE fresh_codes (
        appid TEXT NOT NULL, code_hash TEXT NOT NULL, PRIMARY KEY (appid, code_hash)
    ) WITHOUT ROWID;
    INSERT OR IGNORE INTO temp.fresh_codes SELECT appid, code_hash FROM main.fresh_logins;";

/// Logins looked at in one go.
const MOST: i64 = 50_000;

/// The logins that came after this one; none on Postgres.
#[derive(Debug)]
pub struct FindFreshLogins(pub i64);

/// Logins that are not in the indexes yet.
#[derive(Debug, Default)]
pub struct FreshLogins {
    /// The last of them.
    pub last: i64,
    /// Whose they are, sorted.
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

/// What lies in one stretch of an index: the keys after one and up to another.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Logins up to this one.
    pub last: i64,
    /// After this key.
    pub after: String,
    /// Up to this key, which belongs to it.
    pub through: String,
}

/// Enters a stretch of the fresh logins into the index of sessions by user.
#[derive(Debug)]
pub struct IndexUserSessions(pub Stretch);

prepared! {
    /// Sessions that have ended already are passed over.
    EnterUserSessions on Sqlite { last: BigInt = i64, after: Text = &'a str, through: Text = &'a str } -> (),
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
            EnterUserSessions::new(stretch.last, &stretch.after, &stretch.through).execute(conn)?;
        }
        Ok(())
    }
}

/// Enters a stretch of the fresh logins into the table of exchanges.
#[derive(Debug)]
pub struct IndexExchanges(pub Stretch);

prepared! {
    /// In the order of the table. The codes of deleted users are passed over.
    EnterExchanges on Sqlite { last: BigInt = i64, after: Text = &'a str, through: Text = &'a str } -> (),
    "INSERT OR IGNORE INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
     SELECT appid, code_hash, user_id, session_id, idempotency_key, exchanged_at FROM fresh_logins
     WHERE seq <= ? AND code_hash > ? AND code_hash <= ? AND user_id > '' ORDER BY appid, code_hash"
}

impl WriteOne for IndexExchanges {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let Self(stretch) = self;
        if let DbConn::Sqlite(conn) = conn {
            EnterExchanges::new(stretch.last, &stretch.after, &stretch.through).execute(conn)?;
        }
        Ok(())
    }
}

/// Takes the logins before this one out of `fresh_logins`, when both indexes have them. This one stays until there is
/// a later one: so no number is used again, and what came since is never taken for something that is indexed.
#[derive(Debug)]
pub struct ForgetFreshLogins(pub i64);

prepared! {
    /// Logins that are indexed.
    DeleteFreshLogins on Sqlite { last: BigInt = i64 } -> (), "DELETE FROM fresh_logins WHERE seq < ?"
}

prepared! {
    /// Empties the index in memory.
    ClearFreshCodes on Sqlite {} -> (), "DELETE FROM temp.fresh_codes"
}

prepared! {
    /// Fills it with what is left.
    FillFreshCodes on Sqlite {} -> (),
    "INSERT OR IGNORE INTO temp.fresh_codes SELECT appid, code_hash FROM main.fresh_logins"
}

impl WriteOne for ForgetFreshLogins {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            DeleteFreshLogins::new(self.0).execute(conn)?;
            ClearFreshCodes::new().execute(conn)?;
            FillFreshCodes::new().execute(conn)?;
        }
        Ok(())
    }
}

/// Takes whatever tells of a user out of `fresh_logins`; the rows stay, so that no number is used again.
pub(super) fn forget_user(conn: &mut DbConn, user: &str) -> Result<(), StoreError> {
    if let DbConn::Sqlite(conn) = conn {
        let theirs = fresh_logins::table.filter(fresh_logins::user_id.eq(user));
        diesel::update(theirs).set(fresh_logins::user_id.eq("")).execute(conn)?;
    }
    Ok(())
}

/// Takes a session that has ended out of the index.
pub(super) fn forget_user_session(conn: &mut DbConn, user: &str, session: &str) -> Result<(), StoreError> {
    if let DbConn::Sqlite(conn) = conn {
        diesel::delete(user_sessions::table.find((user, session))).execute(conn)?;
    }
    Ok(())
}

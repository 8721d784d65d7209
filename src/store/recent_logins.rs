//! The logins of the last minutes on SQLite, and their deferred indexing.
//!
//! SQLite writes whole pages, and the entries of an index by user or by code are scattered: each login would
//! write a page or two of its own. So a login only appends to `recent_logins`, and every other second those behind the
//! last run are indexed together: their users' sessions in `user_sessions`, in key order, so that many entries share
//! a page; then their codes in `recent_codes`, as a sorted run of its own. Both tables forget from the front. All of it
//! is durable with the login. Every lookup also scans the logins behind the last run, which are therefore kept few.
//! Postgres, which writes rows, has ordinary indexes.

use super::prepared::prepared;
use super::schema::{recent_codes, recent_logins, user_sessions};
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{AppId, CodeHash, CodeKey, Time};
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamp};
use diesel::sqlite::Sqlite;

/// The last login that is indexed, by code and by user, in SQL: the name of the last run.
macro_rules! last_indexed {
    () => {
        "(SELECT coalesce(max(run), 0) FROM recent_codes)"
    };
}
pub(super) use last_indexed;

/// The same in diesel.
fn find_last_indexed(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let last: Option<i64> = recent_codes::table.select(max(recent_codes::run)).first(conn)?;
    Ok(last.unwrap_or(0))
}

macro_rules! fill_fresh_codes {
    () => {
        concat!(
            "INSERT OR IGNORE INTO temp.fresh_codes SELECT appid, code_hash FROM recent_logins WHERE seq > ",
            last_indexed!()
        )
    };
}

/// A temporary in-memory index over the codes that are not indexed yet, on the writing connection: none of them is
/// recorded twice. (Codes that were recorded before them are refused by WeChat, and the latest of them by the
/// WeChatActor.)
pub(super) const INDEX_FRESH_CODES: &str = concat!(
    "CREATE TEMP TABLE fresh_codes (
        appid TEXT NOT NULL, code_hash TEXT NOT NULL, PRIMARY KEY (appid, code_hash)
    ) WITHOUT ROWID; ",
    fill_fresh_codes!()
);

/// Most logins that are read at once.
const MOST: i64 = 50_000;

/// The logins that are not indexed yet; none on Postgres.
#[derive(Debug)]
pub struct FindFreshLogins;

/// Logins that are not indexed yet.
#[derive(Debug, Default)]
pub struct FreshLogins {
    /// Their numbers, rising.
    pub numbers: Vec<i64>,
    /// Their users, sorted.
    pub users: Vec<String>,
}

impl Query for FindFreshLogins {
    type Output = FreshLogins;

    fn run(&self, conn: &mut DbConn) -> Result<FreshLogins, StoreError> {
        let DbConn::Sqlite(conn) = conn else { return Ok(FreshLogins::default()) };
        let fresh = recent_logins::table.filter(recent_logins::seq.gt(find_last_indexed(conn)?));
        let columns = (recent_logins::seq, recent_logins::user_id);
        let mut found = FreshLogins::default();
        let oldest = fresh.order(recent_logins::seq).limit(MOST).select(columns);
        for (number, user) in oldest.load::<(i64, String)>(conn)? {
            found.numbers.push(number);
            found.users.push(user);
        }
        found.users.sort_unstable();
        Ok(found)
    }
}

/// Adds a range of users, after the first and up to the second, to the index of sessions by user.
#[derive(Debug)]
pub struct IndexUserSessions {
    /// Logins up to this one.
    pub last: i64,
    /// After this user.
    pub after: String,
    /// Up to and including this user.
    pub through: String,
}

prepared! {
    /// Skips sessions that have already ended.
    EnterUserSessions<'a> on Sqlite { last: BigInt = i64, after: Text = &'a str, through: Text = &'a str } -> (),
    concat!(
        "INSERT OR IGNORE INTO user_sessions (user_id, session_id)
         SELECT f.user_id, f.session_id FROM recent_logins f
         WHERE f.seq > ", last_indexed!(), " AND f.seq <= ? AND f.user_id > ? AND f.user_id <= ?
             AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = f.session_id)
         ORDER BY f.user_id, f.session_id"
    )
}

impl WriteOne for IndexUserSessions {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            EnterUserSessions { last: self.last, after: &self.after, through: &self.through }
                .execute(conn)?;
        }
        Ok(())
    }
}

/// Adds a run of the codes that are not indexed yet, up to this login. Their users' sessions must be indexed already.
#[derive(Debug)]
pub struct IndexCodes(pub i64);

prepared! {
    /// In the order of the table.
    EnterCodes on Sqlite { run: BigInt = i64, last: BigInt = i64 } -> (),
    concat!(
        "INSERT INTO recent_codes (run, code_hash, seq) SELECT ?, code_hash, seq FROM recent_logins
         WHERE seq > ", last_indexed!(), " AND seq <= ? ORDER BY code_hash, seq"
    )
}

impl WriteOne for IndexCodes {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            EnterCodes { run: self.0, last: self.0 }.execute(conn)?;
        }
        Ok(())
    }
}

/// Empties the temporary index of what is indexed now.
#[derive(Debug)]
pub struct ForgetFreshCodes;

prepared! {
    /// Clears the temporary index.
    ClearFreshCodes on Sqlite {} -> (), "DELETE FROM temp.fresh_codes"
}

prepared! {
    /// Refills it with the remaining rows.
    FillFreshCodes on Sqlite {} -> (), fill_fresh_codes!()
}

impl WriteOne for ForgetFreshCodes {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            ClearFreshCodes {}.execute(conn)?;
            FillFreshCodes {}.execute(conn)?;
        }
        Ok(())
    }
}

prepared! {
    /// Looks among the logins that are not indexed yet, and in each run.
    FindRecentLogin<'a> on Sqlite {
        appid: Text = &'a str, code_hash: Text = &'a str, fresh: Text = &'a str, indexed: Text = &'a str,
    } -> (Text, Text, Nullable<Text>, Timestamp),
    concat!(
        "WITH RECURSIVE runs (run) AS (
             SELECT max(run) FROM recent_codes
             UNION ALL SELECT (SELECT max(c.run) FROM recent_codes c WHERE c.run < runs.run) FROM runs
             WHERE runs.run IS NOT NULL
         )
         SELECT user_id, session_id, idempotency_key, exchanged_at FROM recent_logins
         WHERE appid = ? AND code_hash = ? AND seq IN (
             SELECT seq FROM recent_logins WHERE seq > ", last_indexed!(), " AND code_hash = ?
             UNION ALL SELECT c.seq FROM runs CROSS JOIN recent_codes c ON c.run = runs.run AND c.code_hash = ?
         ) ORDER BY seq LIMIT 1"
    )
}

/// A login dated so many seconds from now was dated by a clock that was wrong.
const WRONG_CLOCK: i64 = 3600;

/// Finds how far the recent logins are older than a time, from the first on: the last of a number of them that are;
/// `None` if there are none, and on Postgres.
///
/// The last login of all stays, so that its number is not used again, and so does what is not indexed yet.
#[derive(Debug)]
pub struct FindOldLogins {
    /// Finds older logins.
    pub before: Time,
    /// Now.
    pub at: Time,
    /// Most logins at once.
    pub limit: usize,
}

impl Query for FindOldLogins {
    type Output = Option<i64>;

    fn run(&self, conn: &mut DbConn) -> Result<Option<i64>, StoreError> {
        let DbConn::Sqlite(conn) = conn else { return Ok(None) };
        let last: Option<i64> = recent_logins::table.select(max(recent_logins::seq)).first(conn)?;
        let deletable = recent_logins::table
            .filter(recent_logins::seq.le(find_last_indexed(conn)?))
            .filter(recent_logins::seq.lt(last.unwrap_or(0)));
        let columns = (recent_logins::seq, recent_logins::exchanged_at);
        let first = deletable.order(recent_logins::seq).limit(self.limit as i64).select(columns);
        let rows: Vec<(i64, Time)> = first.load(conn)?;
        // A login that a wrong clock dated must not keep all that follow it.
        let to_come = self.at.plus_seconds(WRONG_CLOCK);
        let is_over = |(_, at): &(i64, Time)| *at < self.before || *at > to_come;
        Ok(rows.into_iter().take_while(is_over).last().map(|(number, _)| number))
    }
}

/// Deletes the logins up to and including this one, and the runs of codes that end with them.
#[derive(Debug)]
pub struct DeleteOldLogins(pub i64);

impl WriteOne for DeleteOldLogins {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Sqlite(conn) = conn {
            diesel::delete(recent_logins::table.filter(recent_logins::seq.le(self.0))).execute(conn)?;
            diesel::delete(recent_codes::table.filter(recent_codes::run.le(self.0))).execute(conn)?;
        }
        Ok(())
    }
}

/// The latest codes that were recorded, the latest last; none on Postgres, which records no code twice.
#[derive(Debug)]
pub struct FindLatestCodes {
    /// How many.
    pub limit: i64,
}

impl Query for FindLatestCodes {
    type Output = Vec<CodeKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Vec<CodeKey>, StoreError> {
        let DbConn::Sqlite(conn) = conn else { return Ok(Vec::new()) };
        let latest = recent_logins::table.order(recent_logins::seq.desc()).limit(self.limit);
        let rows: Vec<(String, String)> =
            latest.select((recent_logins::appid, recent_logins::code_hash)).load(conn)?;
        let key = |(app, code): &(String, String)| {
            Some(CodeKey { app: AppId::from_stored(app.as_str()), code: CodeHash::from_stored(code)? })
        };
        Ok(rows.iter().rev().filter_map(key).collect())
    }
}

/// Clears who logged in and to which session; the rows stay, so that no number is reused.
pub(super) fn forget_user(conn: &mut DbConn, user: &str) -> Result<(), StoreError> {
    if let DbConn::Sqlite(conn) = conn {
        let theirs = recent_logins::table.filter(recent_logins::user_id.eq(user));
        let cleared = (recent_logins::user_id.eq(""), recent_logins::session_id.eq(""));
        diesel::update(theirs).set(cleared).execute(conn)?;
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

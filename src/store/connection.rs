//! Opens connections by the URL's scheme and keeps them in a pool.

use super::StoreError;
use super::fresh_logins::INDEX_FRESH_CODES;
use super::sign_in::{LOGINS, WRITE_LOGIN};
use crate::domain::{DatabaseUrl, split_parameters};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// How long a caller waits for a free or a new connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to whichever database is configured.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    /// PostgreSQL, through libpq.
    Postgres(PgConnection),
    /// SQLite, compiled in.
    Sqlite(SqliteConnection),
}

/// A pool of connections to one database.
pub type Pool = r2d2::Pool<Connector>;

/// What a pool's connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Queries, side by side.
    Read,
    /// The writer's groups.
    Write,
}

/// Opens connections for the pool.
#[derive(Debug, Clone)]
pub struct Connector(DatabaseUrl, Purpose);

impl r2d2::ManageConnection for Connector {
    type Connection = DbConn;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<DbConn, Self::Error> {
        let mut conn = connect(&self.0)?;
        if self.1 == Purpose::Write {
            let setup: &[&str] = match &conn {
                DbConn::Postgres(_) => &[WRITER_ON_POSTGRES],
                DbConn::Sqlite(_) => &[WRITER_ON_SQLITE, INDEX_FRESH_CODES, LOGINS, WRITE_LOGIN],
            };
            setup
                .iter()
                .try_for_each(|statements| conn.batch_execute(statements))
                .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(conn)
    }

    fn is_valid(&self, _: &mut DbConn) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A connection whose transaction was torn, by a panic or a lost server, is not used again.
    fn has_broken(&self, conn: &mut DbConn) -> bool {
        use diesel::r2d2::R2D2Connection;
        std::thread::panicking() || conn.is_broken()
    }
}

/// Opens one connection. The URL's scheme decides; nothing else is tried.
pub(super) fn connect(url: &DatabaseUrl) -> diesel::ConnectionResult<DbConn> {
    match url {
        DatabaseUrl::Postgres(url) => {
            let url = SecretString::from(with_patience(url.expose_secret()));
            let mut conn = PgConnection::establish(url.expose_secret())?;
            in_english(&mut conn)?;
            Ok(DbConn::Postgres(conn))
        }
        DatabaseUrl::Sqlite(path) => {
            make_private(path);
            let mut conn = SqliteConnection::establish(path)?;
            conn.batch_execute(
                "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(DbConn::Sqlite(conn))
        }
    }
}

/// Lets Postgres speak English, as a deadlock and some other errors are known by their words alone. Where it speaks
/// another language, to change that takes a right that not every role has.
fn in_english(conn: &mut PgConnection) -> diesel::ConnectionResult<()> {
    const IS_ENGLISH: &str = "current_setting('lc_messages') ~ '^(C|POSIX|en)'";
    let failed = diesel::ConnectionError::CouldntSetupConfiguration;
    let is_english = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(IS_ENGLISH));
    if is_english.get_result(conn).map_err(failed)? {
        return Ok(());
    }
    if conn.batch_execute("SET lc_messages = 'C'").is_err() {
        log::warn!(
            "Postgres does not tell its errors in English, and weauth knows some by their words: let an administrator \
             run ALTER ROLE … SET lc_messages = 'C' for the role of DATABASE_URL"
        );
    }
    Ok(())
}

/// Makes a SQLite file that is not there, for its owner's eyes only; what SQLite lays beside it takes after it. Where
/// that fails SQLite says why, a moment later.
fn make_private(path: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let _made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Is this a SQLite database whose file is not there? To connect would make it.
pub(super) fn is_missing_file(url: &DatabaseUrl) -> bool {
    matches!(url, DatabaseUrl::Sqlite(path) if !std::path::Path::new(path).exists())
}

/// A server that vanishes without a word, with its machine or its network, is given up within some 10 seconds, where
/// TCP by itself would wait for a quarter of an hour. libpq's own parameters, in seconds and milliseconds; what the
/// URL says of them holds.
const PATIENCE: [&str; 5] = [
    "connect_timeout=5",
    "keepalives_idle=5",
    "keepalives_interval=2",
    "keepalives_count=3",
    "tcp_user_timeout=10000",
];

fn with_patience(url: &str) -> String {
    let (place, parameters) = split_parameters(url);
    let mut all: Vec<&str> = parameters.into_iter().flat_map(|given| given.split('&')).collect();
    all.retain(|pair| !pair.is_empty());
    let given: Vec<&str> = all.iter().map(|pair| name_of(pair)).collect();
    all.extend(PATIENCE.into_iter().filter(|pair| !given.contains(&name_of(pair))));
    format!("{place}?{}", all.join("&"))
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

/// A group's rows are found by their keys, however small the tables are: the planner, who can't know how many
/// rows an array parameter holds, would rather read the whole table. One plan serves all groups.
///
/// Who stands in the way of a group, a program that holds a lock or a node that vanished, does so for seconds, not for
/// good: the group is then taken apart, and each of its writes tried by itself. What a vanished node held is given back
/// when Postgres finds it gone.
const WRITER_ON_POSTGRES: &str = "SET lock_timeout = '4s'; SET idle_in_transaction_session_timeout = '15s';
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan;";

/// Room for the pages that groups touch again and again (4 MiB), and a write-ahead log of up to 32 MiB, so that
/// a page is carried over into the database once for many groups.
const WRITER_ON_SQLITE: &str = "PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 8000;";

/// A pool of at most `connections`, opened as they are needed.
pub fn open_pool(url: &DatabaseUrl, purpose: Purpose, connections: u32) -> Result<Pool, StoreError> {
    let pool = r2d2::Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(CONNECTION_TIMEOUT)
        .build(Connector(url.clone(), purpose))?;
    Ok(pool)
}

/// Asks the database for a sign of life.
pub fn ping(conn: &mut DbConn) -> Result<(), StoreError> {
    conn.batch_execute("SELECT 1")?;
    Ok(())
}

/// Runs one diesel expression against whichever database is open: written once, checked for each.
macro_rules! per_dialect {
    ($conn:expr, $inner:ident => $query:expr) => {
        match $conn {
            $crate::store::DbConn::Postgres($inner) => $query,
            $crate::store::DbConn::Sqlite($inner) => $query,
        }
    };
}
pub(super) use per_dialect;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_says_of_patience_holds() {
        let bare = with_patience("postgres://u:p@h/db");
        assert!(bare.starts_with("postgres://u:p@h/db?connect_timeout=5&keepalives_idle=5&"), "{bare}");
        let given = with_patience("postgres://h/db?sslmode=require&tcp_user_timeout=0&connect_timeout=60");
        assert!(given.contains("?sslmode=require&tcp_user_timeout=0&connect_timeout=60&keepalives_idle=5"));
        assert_eq!(given.matches("tcp_user_timeout").count(), 1);
        let question = with_patience("postgres://u:p?p@h/db");
        assert!(question.starts_with("postgres://u:p?p@h/db?connect_timeout=5&"), "{question}");
    }
}

//! Opens connections by the URL's scheme and pools them.

use super::recent_logins::INDEX_FRESH_CODES;
use super::sign_in::{LOGINS, WRITE_LOGIN};
use super::{MAX_WAIT, StoreError};
use crate::domain::{DatabaseUrl, split_parameters};
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Once;
use std::time::Duration;

/// How long a caller waits for an idle or a new connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to the configured database.
#[derive(diesel::MultiConnection)]
pub enum DbConn {
    /// PostgreSQL, through libpq.
    Postgres(PgConnection),
    /// SQLite, statically linked.
    Sqlite(SqliteConnection),
}

/// A pool of connections to one database.
pub type Pool = r2d2::Pool<Connector>;

/// The purpose of a pool's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Concurrent queries. On Postgres none outlasts [`MAX_WAIT`]: who asked has been answered by then, and the
    /// connection is for others.
    Read,
    /// The writers' transactions.
    Write,
}

/// Opens the connections of a pool.
#[derive(Debug, Clone)]
pub struct Connector(DatabaseUrl, Purpose);

impl r2d2::ManageConnection for Connector {
    type Connection = DbConn;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<DbConn, Self::Error> {
        let mut conn = connect(&self.0)?;
        let reader_on_postgres = give_up_after(MAX_WAIT);
        let setup: &[&str] = match (self.1, &conn) {
            (Purpose::Read, DbConn::Postgres(_)) => &[&reader_on_postgres],
            (Purpose::Read, DbConn::Sqlite(_)) => &[READER_ON_SQLITE],
            (Purpose::Write, DbConn::Postgres(_)) => &[WRITER_ON_POSTGRES],
            (Purpose::Write, DbConn::Sqlite(_)) => {
                &[WRITER_ON_SQLITE, INDEX_FRESH_CODES, LOGINS, WRITE_LOGIN]
            }
        };
        setup
            .iter()
            .try_for_each(|statements| conn.batch_execute(statements))
            .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }

    fn is_valid(&self, _: &mut DbConn) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A connection whose transaction was interrupted, by a panic or a lost server, is not reused.
    fn has_broken(&self, conn: &mut DbConn) -> bool {
        use diesel::r2d2::R2D2Connection;
        std::thread::panicking() || conn.is_broken()
    }
}

/// Opens one connection, to the kind of database that the URL's scheme names.
pub(super) fn connect(url: &DatabaseUrl) -> diesel::ConnectionResult<DbConn> {
    match url {
        DatabaseUrl::Postgres(url) => {
            let url = SecretString::from(with_timeouts(url.expose_secret()));
            let mut conn = PgConnection::establish(url.expose_secret())?;
            prepare_session(&mut conn)?;
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

/// Sets the isolation that every query is written for, whatever the database or the role prefers: under a stricter one,
/// even a read may fail.
///
/// Makes Postgres report errors in English, because deadlocks and some other errors are recognised by their
/// text alone. Changing the language takes a privilege that not every role has.
fn prepare_session(conn: &mut PgConnection) -> diesel::ConnectionResult<()> {
    const ISOLATE: &str = "set_config('default_transaction_isolation', 'read committed', false)";
    const IS_ENGLISH: &str = "current_setting('lc_messages') ~ '^(C|POSIX)([.]|$)|^en([_.]|$)|^English'";
    let (isolate, is_english) = (sql::<Text>(ISOLATE), sql::<Bool>(IS_ENGLISH));
    let set = diesel::select((isolate, is_english)).get_result::<(String, bool)>(conn);
    let (_, is_english) = set.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    if is_english {
        return Ok(());
    }
    static TOLD: Once = Once::new();
    if conn.batch_execute("SET lc_messages = 'C'").is_err() {
        TOLD.call_once(|| {
            log::warn!(
                "Postgres does not tell its errors in English, and weauth knows some by their words: let an \
                 administrator run ALTER ROLE … SET lc_messages = 'C' for the role of DATABASE_URL"
            );
        });
    }
    Ok(())
}

/// Creates a missing SQLite file with mode 0600, which SQLite also gives to the files beside it. If this
/// fails, SQLite reports the reason a moment later.
fn make_private(path: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let _made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Is this a SQLite database whose file does not exist? Connecting would create it.
pub(super) fn is_missing_file(url: &DatabaseUrl) -> bool {
    matches!(url, DatabaseUrl::Sqlite(path) if !std::path::Path::new(path).exists())
}

/// Gives up on a server that became unreachable within some 10 seconds; TCP alone would take a quarter of an
/// hour. These are libpq parameters, in seconds and milliseconds; parameters in the URL take precedence.
const LIBPQ_TIMEOUTS: [&str; 5] = [
    "connect_timeout=5",
    "keepalives_idle=5",
    "keepalives_interval=2",
    "keepalives_count=3",
    "tcp_user_timeout=10000",
];

fn with_timeouts(url: &str) -> String {
    let (place, parameters) = split_parameters(url);
    let mut all: Vec<&str> = parameters.into_iter().flat_map(|given| given.split('&')).collect();
    all.retain(|pair| !pair.is_empty());
    let given: Vec<&str> = all.iter().map(|pair| name_of(pair)).collect();
    all.extend(LIBPQ_TIMEOUTS.into_iter().filter(|pair| !given.contains(&name_of(pair))));
    format!("{place}?{}", all.join("&"))
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

/// Makes the planner look a group's rows up by key, however small the tables are: it can't know the size of
/// an array parameter, and would prefer to scan the table. One plan serves all groups.
///
/// A program that holds a lock, or a node that vanished, can block a group for some seconds only: then the group
/// is split, and each write is tried alone. Postgres releases the locks of a vanished node when it notices.
const WRITER_ON_POSTGRES: &str = "SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '15s';
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan;";

/// Makes the server give a statement up that its caller does not wait for any more, unless it is told to do so sooner.
fn give_up_after(time: Duration) -> String {
    let time = time.as_millis();
    format!(
        "SELECT set_config('statement_timeout', '{time}', false) FROM pg_settings
         WHERE name = 'statement_timeout' AND setting::bigint NOT BETWEEN 1 AND {time}"
    )
}

/// Readers are several and look for few rows each, which the machine's own cache holds too.
const READER_ON_SQLITE: &str = "PRAGMA cache_size = -256;";

/// A 4 MiB cache for the pages that groups touch again and again, and a WAL of up to 32 MiB, so that a page
/// is checkpointed once for many groups.
const WRITER_ON_SQLITE: &str = "PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 8000;";

/// Opens a pool of at most `connections`, which are opened as needed.
pub fn open_pool(url: &DatabaseUrl, purpose: Purpose, connections: u32) -> Result<Pool, StoreError> {
    let pool = r2d2::Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(CONNECTION_TIMEOUT)
        .build(Connector(url.clone(), purpose))?;
    Ok(pool)
}

/// Checks that the database responds.
pub fn ping(conn: &mut DbConn) -> Result<(), StoreError> {
    conn.batch_execute("SELECT 1")?;
    Ok(())
}

/// Runs one diesel expression on either database: written once, type-checked for each.
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
        let bare = with_timeouts("postgres://u:p@h/db");
        assert!(bare.starts_with("postgres://u:p@h/db?connect_timeout=5&keepalives_idle=5&"), "{bare}");
        let given = with_timeouts("postgres://h/db?sslmode=require&tcp_user_timeout=0&connect_timeout=60");
        assert!(given.contains("?sslmode=require&tcp_user_timeout=0&connect_timeout=60&keepalives_idle=5"));
        assert_eq!(given.matches("tcp_user_timeout").count(), 1);
        let question = with_timeouts("postgres://u:p?p@h/db");
        assert!(question.starts_with("postgres://u:p?p@h/db?connect_timeout=5&"), "{question}");
    }
}

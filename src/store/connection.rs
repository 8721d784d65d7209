//! Opens connections by the URL's scheme and keeps them in a pool.

use super::StoreError;
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use secrecy::ExposeSecret;
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

/// Opens connections for the pool.
#[derive(Debug, Clone)]
pub struct Connector(DatabaseUrl);

impl r2d2::ManageConnection for Connector {
    type Connection = DbConn;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<DbConn, Self::Error> {
        connect(&self.0)
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
        DatabaseUrl::Postgres(url) => PgConnection::establish(url.expose_secret()).map(DbConn::Postgres),
        DatabaseUrl::Sqlite(path) => {
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

/// A pool of at most `connections`, opened as they are needed.
pub fn open_pool(url: &DatabaseUrl, connections: u32) -> Result<Pool, StoreError> {
    let pool = r2d2::Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .connection_timeout(CONNECTION_TIMEOUT)
        .build(Connector(url.clone()))?;
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

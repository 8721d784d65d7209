//! Brings the schema up to date. The SQL is compiled in; `diesel migration run` works on the same folders.

use super::connection::{connect, per_dialect};
use super::{DbConn, Query, StoreError};
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number will do, as long as every weauth takes the same.
const ADVISORY_LOCK: i64 = 0x7765_6175_7468;

/// One migration and whether it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its folder's name.
    pub name: String,
    /// Was it applied?
    pub applied: bool,
}

/// A connection of its own on which migrations run.
pub struct Migrator(DbConn);

impl Migrator {
    /// Connects; a SQLite file is made where it is missing, in WAL mode.
    pub fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let mut conn = connect(url)?;
        if let DbConn::Sqlite(conn) = &mut conn {
            // Persistent: the pool's connections find it set and need not race for it.
            conn.batch_execute("PRAGMA journal_mode = WAL;")?;
        }
        Ok(Self(conn))
    }

    /// Applies what is pending, oldest first; gives back the names. Nodes that start together take turns.
    pub fn apply_pending(&mut self) -> Result<Vec<String>, StoreError> {
        self.locked(|conn| {
            let applied = match conn {
                DbConn::Postgres(conn) => {
                    conn.run_pending_migrations(POSTGRES).map(|versions| names(&versions))
                }
                DbConn::Sqlite(conn) => conn.run_pending_migrations(SQLITE).map(|versions| names(&versions)),
            };
            applied.map_err(|error| StoreError::Refused(error.to_string()))
        })
    }

    /// Takes back the latest `count` migrations; gives back their names.
    pub fn revert(&mut self, count: u32) -> Result<Vec<String>, StoreError> {
        self.locked(|conn| {
            (0..count)
                .map(|_| {
                    let reverted = match conn {
                        DbConn::Postgres(conn) => conn.revert_last_migration(POSTGRES),
                        DbConn::Sqlite(conn) => conn.revert_last_migration(SQLITE),
                    };
                    reverted
                        .map(|version| version.to_string())
                        .map_err(|error| StoreError::Refused(error.to_string()))
                })
                .collect()
        })
    }

    /// Every known migration, oldest first.
    pub fn status(&mut self) -> Result<Vec<MigrationState>, StoreError> {
        per_dialect!(&mut self.0, conn => status(conn))
    }

    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let DbConn::Postgres(conn) = &mut self.0 {
            conn.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})"))?;
        }
        let result = work(&mut self.0);
        if let DbConn::Postgres(conn) = &mut self.0 {
            conn.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})"))?;
        }
        result
    }
}

/// Are the database there and all migrations applied?
pub struct CheckSchema;

impl Query for CheckSchema {
    type Output = ();

    fn run(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let states = per_dialect!(conn, conn => status(conn))?;
        match states.into_iter().find(|state| !state.applied) {
            Some(pending) => Err(StoreError::Refused(format!("migration {} is pending", pending.name))),
            None => Ok(()),
        }
    }
}

fn names(versions: &[diesel::migration::MigrationVersion<'_>]) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}

/// The embedded migrations of a dialect.
trait Dialect: diesel::backend::Backend {
    const MIGRATIONS: EmbeddedMigrations;
}

impl Dialect for diesel::pg::Pg {
    const MIGRATIONS: EmbeddedMigrations = POSTGRES;
}

impl Dialect for diesel::sqlite::Sqlite {
    const MIGRATIONS: EmbeddedMigrations = SQLITE;
}

fn status<DB: Dialect>(conn: &mut impl MigrationHarness<DB>) -> Result<Vec<MigrationState>, StoreError> {
    use diesel::migration::{Migration, MigrationSource};
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused(error.to_string());
    let applied = conn.applied_migrations().map_err(failed)?;
    let mut all: Vec<Box<dyn Migration<DB>>> = DB::MIGRATIONS.migrations().map_err(failed)?;
    all.sort_by_key(|migration| migration.name().version().as_owned());
    Ok(all
        .iter()
        .map(|migration| MigrationState {
            name: migration.name().to_string(),
            applied: applied.contains(&migration.name().version()),
        })
        .collect())
}

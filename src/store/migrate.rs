//! Schema migrations. The SQL is compiled in; `diesel migration run` works with the same folders.

use super::connection::{connect, is_missing_file, per_dialect};
use super::transaction::transact;
use super::{DbConn, Query, StoreError};
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// An arbitrary number, which must be the same in every weauth.
const ADVISORY_LOCK: i64 = 0x7765_6175_7468;

/// For SQLite: a process that starts while another one migrates waits for it.
const PATIENT: &str = "PRAGMA busy_timeout = 60000;";

/// A migration and whether it has been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Its folder's name.
    pub name: String,
    /// The number at the beginning of the name, which identifies it in diesel.
    pub version: String,
    /// Has it been applied?
    pub applied: bool,
    /// Does this weauth know it? A newer one, or somebody else, may have applied more.
    pub known: bool,
}

/// A connection for running migrations.
pub struct Migrator(DbConn);

impl Migrator {
    /// Connects; a missing SQLite file is created, in WAL mode.
    pub fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let mut conn = connect(url)?;
        if let DbConn::Sqlite(conn) = &mut conn {
            // Another process may be migrating, which can take longer than a login.
            conn.batch_execute(PATIENT)?;
            into_wal_mode(conn)?;
        }
        Ok(Self(conn))
    }

    /// Applies the pending migrations, oldest first; returns their names. Nodes that start together take turns.
    /// If none is pending, nothing is written, so a role without the right to change the schema will do.
    pub fn apply_pending(&mut self) -> Result<Vec<String>, StoreError> {
        if status(&mut self.0)?.iter().all(|migration| migration.applied) {
            if let DbConn::Sqlite(conn) = &mut self.0 {
                check_writable(conn)?;
            }
            return Ok(Vec::new());
        }
        self.locked(|conn| {
            let before = status(conn)?;
            let run = match conn {
                DbConn::Postgres(conn) => conn.run_pending_migrations(POSTGRES).map(drop),
                DbConn::Sqlite(conn) => conn.run_pending_migrations(SQLITE).map(drop),
            };
            run.map_err(|error| StoreError::Refused(error.to_string()))?;
            Ok(names_where(before, |migration| !migration.applied))
        })
    }

    /// Reverts the latest `count` migrations; returns their names, latest first. If fewer are applied, reverts none.
    pub fn revert(url: &DatabaseUrl, count: u32) -> Result<Vec<String>, StoreError> {
        if is_missing_file(url) {
            return Err(StoreError::Unavailable("there is no such file".into()));
        }
        Self::connect(url)?.locked(|conn| {
            let mut applied = names_where(status(conn)?, |migration| migration.applied);
            if applied.len() < count as usize {
                let there = applied.len();
                return Err(StoreError::Refused(format!(
                    "{count} migrations can't be reverted, as {there} are applied; nothing was changed"
                )));
            }
            for _ in 0..count {
                let reverted = match conn {
                    DbConn::Postgres(conn) => conn.revert_last_migration(POSTGRES).map(drop),
                    DbConn::Sqlite(conn) => conn.revert_last_migration(SQLITE).map(drop),
                };
                reverted.map_err(|error| StoreError::Refused(error.to_string()))?;
            }
            applied.reverse();
            applied.truncate(count as usize);
            Ok(applied)
        })
    }

    /// All known migrations, oldest first, and then applied ones that are unknown here. Read-only: in a
    /// missing database, none is applied.
    pub fn status_of(url: &DatabaseUrl) -> Result<Vec<MigrationState>, StoreError> {
        if is_missing_file(url) {
            return known_to::<diesel::sqlite::Sqlite>(&SQLITE);
        }
        let mut conn = connect(url)?;
        let mut others = applied(&mut conn)?;
        let mut all = status_by(&others, &conn)?;
        others.retain(|version| all.iter().all(|migration| migration.version != *version));
        others.sort();
        let other =
            |version: String| MigrationState { name: version.clone(), version, applied: true, known: false };
        all.extend(others.into_iter().map(other));
        Ok(all)
    }

    /// Runs `work` while nobody else migrates; on SQLite, in one writing transaction.
    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut DbConn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if matches!(self.0, DbConn::Sqlite(_)) {
            return transact(&mut self.0, work);
        }
        self.0.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})"))?;
        let result = work(&mut self.0);
        self.0.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})"))?;
        result
    }
}

/// Sets WAL mode. It is stored in the file, so the pool's connections need not race for it. Of several processes
/// with a new file one sets it; SQLite does not make the others wait for the lock here, so they retry.
fn into_wal_mode(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL;").map_err(StoreError::from) {
            Err(StoreError::Conflict(_)) if Instant::now() < until => sleep(Duration::from_millis(20)),
            result => return result,
        }
    }
}

/// Do the database and all migrations exist?
pub struct CheckSchema;

impl Query for CheckSchema {
    type Output = ();

    fn run(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let Some(pending) = status(conn)?.into_iter().find(|state| !state.applied) {
            return Err(StoreError::Pending(pending.name));
        }
        Ok(())
    }
}

/// The same, and does the database take writes? A standby of Postgres does not.
pub struct CheckReady;

impl Query for CheckReady {
    type Output = ();

    fn run(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        CheckSchema.run(conn)?;
        let DbConn::Postgres(conn) = conn else { return Ok(()) };
        let is_read_only = dsl::sql::<Bool>("current_setting('transaction_read_only') = 'on'");
        if diesel::select(is_read_only).get_result(conn)? {
            return Err(StoreError::Unable("it takes no writes".into()));
        }
        Ok(())
    }
}

/// Writes nothing, but fails if the file can't be written. One that is locked can be.
fn check_writable(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    conn.batch_execute("PRAGMA busy_timeout = 0;")?;
    let tried = conn.batch_execute("UPDATE __diesel_schema_migrations SET version = version WHERE false");
    conn.batch_execute(PATIENT)?;
    match tried.map_err(StoreError::from) {
        Err(StoreError::Conflict(_)) => Ok(()),
        result => result,
    }
}

fn names_where(states: Vec<MigrationState>, which: impl Fn(&MigrationState) -> bool) -> Vec<String> {
    states.into_iter().filter(which).map(|migration| migration.name).collect()
}

/// The known migrations, oldest first.
fn status(conn: &mut DbConn) -> Result<Vec<MigrationState>, StoreError> {
    status_by(&applied(conn)?, conn)
}

fn status_by(applied: &[String], conn: &DbConn) -> Result<Vec<MigrationState>, StoreError> {
    let mut all = match conn {
        DbConn::Postgres(_) => known_to::<diesel::pg::Pg>(&POSTGRES)?,
        DbConn::Sqlite(_) => known_to::<diesel::sqlite::Sqlite>(&SQLITE)?,
    };
    all.iter_mut().for_each(|migration| migration.applied = applied.contains(&migration.version));
    Ok(all)
}

/// The versions that were applied. Not by diesel's own queries: they create its table if it is missing, for
/// which not every caller has the privilege.
fn applied(conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
    const APPLIED: &str = "SELECT version AS value FROM __diesel_schema_migrations";
    let is_there = match conn {
        DbConn::Postgres(_) => {
            "SELECT 'there' AS value WHERE to_regclass('__diesel_schema_migrations') IS NOT NULL"
        }
        DbConn::Sqlite(_) => {
            "SELECT name AS value FROM sqlite_master WHERE name = '__diesel_schema_migrations'"
        }
    };
    let mut ask = |question: &str| -> Result<Vec<Answer>, StoreError> {
        Ok(per_dialect!(&mut *conn, conn => diesel::sql_query(question).load(conn))?)
    };
    let rows = if ask(is_there)?.is_empty() { Vec::new() } else { ask(APPLIED)? };
    Ok(rows.into_iter().map(|row| row.value).collect())
}

#[derive(diesel::QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The embedded migrations of a dialect, oldest first, all marked as not applied.
fn known_to<DB: diesel::backend::Backend>(
    embedded: &EmbeddedMigrations,
) -> Result<Vec<MigrationState>, StoreError> {
    use diesel::migration::{Migration, MigrationSource};
    let all: Vec<Box<dyn Migration<DB>>> =
        embedded.migrations().map_err(|error| StoreError::Refused(error.to_string()))?;
    let mut states: Vec<MigrationState> = all
        .iter()
        .map(|migration| MigrationState {
            name: migration.name().to_string(),
            version: migration.name().version().to_string(),
            applied: false,
            known: true,
        })
        .collect();
    states.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(states)
}

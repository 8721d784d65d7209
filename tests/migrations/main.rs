//! The two folders of migrations are equivalent, and go up, down and up again on their databases.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod rows;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

#[test]
fn both_folders_hold_the_same_migrations_each_with_up_and_down() {
    let sqlite = migrations("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, migrations("postgres"));
    for dialect in ["sqlite", "postgres"] {
        for name in &sqlite {
            for script in ["up.sql", "down.sql"] {
                let path = folder(dialect).join(name).join(script);
                let text = fs::read_to_string(&path).unwrap_or_default();
                assert!(!text.trim().is_empty(), "{} is missing or empty", path.display());
            }
        }
    }
}

mod up_down_and_up_again {
    use super::*;

    #[test]
    fn sqlite() {
        let folder = TempDir::new().unwrap();
        assert_up_down_up(&Target::sqlite(&folder));
    }

    #[test]
    fn postgres() {
        assert_up_down_up(&Target::postgres());
    }
}

mod those_who_migrate_together_take_turns {
    use super::*;

    #[test]
    fn sqlite() {
        let folder = TempDir::new().unwrap();
        assert_turns_are_taken(&Target::sqlite(&folder));
    }

    #[test]
    fn postgres() {
        assert_turns_are_taken(&Target::postgres());
    }
}

mod tables_columns_and_indexes_are_those_of_sqlite {
    use super::*;

    #[test]
    fn postgres() {
        let folder = TempDir::new().unwrap();
        let (sqlite, postgres) = (Target::sqlite(&folder), Target::postgres());
        sqlite.migrate(&[]);
        postgres.migrate(&[]);
        assert!(sqlite.columns().len() > 10, "{:?}", sqlite.columns());
        let columns = sqlite.columns().into_iter().filter(|column| !is_of(&ONLY_ON_SQLITE, column));
        let of_both = |lines: BTreeSet<String>| -> BTreeSet<String> {
            lines.into_iter().filter(|line| !is_of(&ONLY_ON_POSTGRES, line)).collect()
        };
        assert_eq!(columns.collect::<BTreeSet<_>>(), of_both(postgres.columns()));
        assert_eq!(sqlite.indexes(), of_both(postgres.indexes()));
    }
}

/// The tables that SQLite uses as indexes, and what corresponds to them on Postgres: the record of exchanges, and the
/// index that finds a user's sessions.
const ONLY_ON_SQLITE: [&str; 3] = ["recent_codes.", "recent_logins.", "user_sessions."];
const ONLY_ON_POSTGRES: [&str; 2] = ["exchanges.", "sessions.sessions_of_user"];

fn is_of(excepted: &[&str], line: &str) -> bool {
    excepted.iter().any(|name| line.starts_with(name))
}

/// When several processes migrate at once, exactly one applies, and one reverts, each migration.
fn assert_turns_are_taken(target: &Target) {
    let all = migrations("sqlite").len();
    for (arguments, done, count) in [(&[][..], "applied ", all), (&["--revert", "1"], "reverted ", 5)] {
        let outputs: Vec<Output> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..5).map(|_| scope.spawn(|| target.migrate(arguments))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let said = outputs.iter().map(|output| String::from_utf8_lossy(&output.stdout));
        let told: Vec<String> =
            said.flat_map(|said| said.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let done: Vec<&String> = told.iter().filter(|line| line.starts_with(done)).collect();
        assert_eq!((done.len(), done.iter().collect::<BTreeSet<_>>().len()), (count, count), "{told:?}");
    }
}

/// The columns and indexes after each reverted migration.
fn revert_one_by_one(target: &Target, names: &BTreeSet<String>) -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let revert = |_: &String| {
        target.migrate(&["--revert", "1"]);
        (target.columns(), target.indexes())
    };
    names.iter().map(revert).collect()
}

/// Applies all migrations, reverts them one by one, and applies all again.
fn assert_up_down_up(target: &Target) {
    let names = migrations("sqlite");
    target.migrate(&[]);
    let complete = (target.columns(), target.indexes());
    target.migrate(&[]); // having nothing to do is not an error
    assert_eq!((target.columns(), target.indexes()), complete);

    let status = target.migrate(&["--status"]);
    let status = String::from_utf8_lossy(&status.stdout);
    for name in &names {
        let told = status.contains(name.as_str()) || status.contains(&version_of(name));
        assert!(told, "{name} is missing in:\n{status}");
    }

    let way_down = revert_one_by_one(target, &names);
    let nothing = (BTreeSet::new(), BTreeSet::new());
    assert_eq!(way_down.last(), Some(&nothing), "reverting everything leaves nothing");

    target.migrate(&[]);
    assert_eq!((target.columns(), target.indexes()), complete);
    assert_eq!(revert_one_by_one(target, &names), way_down, "each leads to the schema before it");
    target.migrate(&[]);
    target.migrate(&["--revert", &names.len().to_string()]);
    assert_eq!(target.columns(), BTreeSet::new());
}

/// The version that diesel stores for a migration: its date and number without dashes.
fn version_of(name: &str) -> String {
    name.split('_').next().unwrap_or_default().replace('-', "")
}

fn folder(dialect: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect)
}

fn migrations(dialect: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(dialect)).expect("a folder of migrations");
    let entries = entries.map(Result::unwrap).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// An empty database to migrate.
struct Target {
    url: String,
    dropped_by: Option<(String, String)>, // server and name
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = diesel::sql_types::Text)]
    line: String,
}

impl Target {
    fn sqlite(folder: &TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("weauth.db").display());
        Self { url, dropped_by: None }
    }

    fn postgres() -> Self {
        let server = std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
            panic!("TEST_DATABASE_URL is not set: `tests/run` starts a Postgres for the tests and sets it")
        });
        let name = format!("migrations_{}", uuid::Uuid::now_v7().simple());
        let mut connection = PgConnection::establish(&server).expect("Postgres answers");
        connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let (before, _) = server.rsplit_once('/').expect("a URL with a database");
        Self { url: format!("{before}/{name}"), dropped_by: Some((server, name)) }
    }

    /// Runs `weauth migrate`, which must succeed.
    fn migrate(&self, arguments: &[&str]) -> Output {
        let mut weauth = Command::new(env!("CARGO_BIN_EXE_weauth"));
        weauth.arg("migrate").args(arguments).env_clear().env("DATABASE_URL", &self.url);
        let output = weauth.current_dir(std::env::temp_dir()).output().unwrap();
        assert!(output.status.success(), "weauth migrate {arguments:?}: {output:?}");
        output
    }

    /// `table.column`, with a `!` if it is NOT NULL.
    fn columns(&self) -> BTreeSet<String> {
        self.lines(
            "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" THEN '!' ELSE '' END AS line \
             FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%'",
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END AS line \
             FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%'",
        )
    }

    /// Explicitly named indexes, with their table.
    fn indexes(&self) -> BTreeSet<String> {
        self.lines(
            "SELECT tbl_name || '.' || name AS line FROM sqlite_master \
             WHERE type = 'index' AND name NOT LIKE 'sqlite%'",
            "SELECT tablename || '.' || indexname AS line FROM pg_indexes \
             WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'",
        )
    }

    fn execute(&self, statements: &str) {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => SqliteConnection::establish(path).unwrap().batch_execute(statements).unwrap(),
            None => PgConnection::establish(&self.url).unwrap().batch_execute(statements).unwrap(),
        }
    }

    fn lines(&self, on_sqlite: &str, on_postgres: &str) -> BTreeSet<String> {
        let lines: Vec<Line> = match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let mut connection = SqliteConnection::establish(path).unwrap();
                sql_query(on_sqlite).load(&mut connection).unwrap()
            }
            None => {
                let mut connection = PgConnection::establish(&self.url).unwrap();
                sql_query(on_postgres).load(&mut connection).unwrap()
            }
        };
        lines.into_iter().map(|line| line.line).collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.dropped_by {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            PgConnection::establish(server).unwrap().batch_execute(&drop).unwrap();
        }
    }
}

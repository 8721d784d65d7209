//! A fresh database for each test, gone when the test is.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use std::sync::Arc;
use tempfile::TempDir;

/// One of the two databases, empty and the test's own.
#[derive(Clone)]
pub struct Database(Arc<Kind>);

enum Kind {
    Sqlite(TempDir),
    Postgres { server: String, name: String },
}

impl Database {
    /// A SQLite file in a temporary folder.
    pub fn sqlite() -> Self {
        Self(Arc::new(Kind::Sqlite(TempDir::new().unwrap())))
    }

    /// A database of its own on the Postgres that `tests/run` started.
    pub fn postgres() -> Self {
        let server = server();
        let name = format!("weauth_{}", uuid::Uuid::now_v7().simple());
        execute(&server, &format!("CREATE DATABASE {name}"));
        Self(Arc::new(Kind::Postgres { server, name }))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        match &*self.0 {
            Kind::Sqlite(folder) => format!("sqlite://{}", folder.path().join("weauth.db").display()),
            Kind::Postgres { server, name } => with_database(server, name),
        }
    }

    /// The same database reached over another address, such as a proxy's.
    pub fn url_through(&self, address: std::net::SocketAddr) -> String {
        let url = self.url();
        let (before, after) = url.rsplit_once('@').expect("only Postgres has an address");
        let (_, path) = after.split_once('/').unwrap();
        format!("{before}@{address}/{path}")
    }

    /// The host and port of the Postgres server.
    pub fn address(&self) -> String {
        let url = self.url();
        let (_, after) = url.rsplit_once('@').expect("only Postgres has an address");
        after.split('/').next().unwrap().to_owned()
    }

    /// The password in the URL, which nobody may read in a log.
    pub fn password(&self) -> Option<String> {
        let url = self.url();
        let (user, _) = url.strip_prefix("postgres://")?.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password.to_owned())
    }

    /// Counts the rows of a table.
    pub fn count(&self, table: &str) -> i64 {
        self.texts("CAST(COUNT(*) AS TEXT)", &format!("FROM {table}"))[0].parse().unwrap()
    }

    /// What `SELECT column rest` finds: one column, of texts.
    pub fn texts(&self, column: &str, rest: &str) -> Vec<String> {
        use diesel::RunQueryDsl;
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            line: String,
        }
        let query = diesel::sql_query(format!("SELECT {column} AS line {rest}"));
        let lines: Vec<Line> = match &*self.0 {
            Kind::Sqlite(folder) => query.load(&mut open_sqlite(folder)).unwrap(),
            Kind::Postgres { .. } => query.load(&mut PgConnection::establish(&self.url()).unwrap()).unwrap(),
        };
        lines.into_iter().map(|found| found.line).collect()
    }

    /// Does something to the rows, past every server.
    pub fn execute(&self, statement: &str) {
        match &*self.0 {
            Kind::Sqlite(folder) => open_sqlite(folder).batch_execute(statement).unwrap(),
            Kind::Postgres { .. } => execute(&self.url(), statement),
        }
    }
}

fn open_sqlite(folder: &TempDir) -> diesel::SqliteConnection {
    let path = folder.path().join("weauth.db");
    let mut connection = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
    connection
}

impl Drop for Kind {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            let dropped = PgConnection::establish(server)
                .map(|mut c| c.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
            if !matches!(dropped, Ok(Ok(()))) && !std::thread::panicking() {
                panic!("the test database {name} could not be dropped");
            }
        }
    }
}

fn server() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!("TEST_DATABASE_URL is not set: `tests/run` starts a Postgres for the tests and sets it")
    })
}

fn execute(url: &str, statement: &str) {
    PgConnection::establish(url)
        .expect("the Postgres of TEST_DATABASE_URL answers")
        .batch_execute(statement)
        .unwrap();
}

fn with_database(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').map_or((server, ""), |(a, o)| (a, o));
    let (scheme, rest) = address.split_once("://").expect("TEST_DATABASE_URL is a URL");
    let place = rest.split('/').next().unwrap();
    let options = if options.is_empty() { String::new() } else { format!("?{options}") };
    format!("{scheme}://{place}/{name}{options}")
}

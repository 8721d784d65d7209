//! A fresh database for each test, dropped with the test.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use std::sync::Arc;
use tempfile::TempDir;

/// One of the two kinds of database, empty and used by one test only.
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

    /// A new database on the Postgres that `tests/run` started.
    pub fn postgres() -> Self {
        let server = server();
        let name = format!("weauth_{}", uuid::Uuid::now_v7().simple());
        execute(&server, &format!("CREATE DATABASE {name}"));
        Self(Arc::new(Kind::Postgres { server, name }))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match &*self.0 {
            Kind::Sqlite(folder) => format!("sqlite://{}", folder.path().join("weauth.db").display()),
            Kind::Postgres { server, name } => with_database(server, name),
        }
    }

    /// The same database through another address, such as a proxy's.
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

    /// The password in the URL, which must not be logged.
    pub fn password(&self) -> Option<String> {
        let url = self.url();
        let (user, _) = url.strip_prefix("postgres://")?.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password.to_owned())
    }

    /// Counts the rows of a table.
    pub fn count(&self, table: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            rows: i64,
        }
        let counted: Vec<Count> = self.load(&format!("SELECT COUNT(*) AS rows FROM {table}"));
        counted[0].rows
    }

    /// Counts the recorded exchanges of codes that tell of this user.
    pub fn exchanges_of(&self, user: &str) -> i64 {
        let table = if matches!(*self.0, Kind::Postgres { .. }) { "exchanges" } else { "recent_logins" };
        self.count(&format!("{table} WHERE user_id = '{user}'"))
    }

    /// The texts that a query finds in a column named `text`.
    pub fn texts(&self, query: &str) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let rows: Vec<Row> = self.load(query);
        rows.into_iter().map(|row| row.text).collect()
    }

    /// Executes a statement, as an operator with SQL would.
    pub fn execute(&self, statement: &str) {
        match &*self.0 {
            Kind::Sqlite(folder) => sqlite(folder).batch_execute(statement).unwrap(),
            Kind::Postgres { .. } => execute(&self.url(), statement),
        }
    }

    /// Blocks all other writes of sessions for this long, like another program that holds a lock.
    pub fn hold(&self, time: std::time::Duration) -> std::thread::JoinHandle<()> {
        self.hold_table("sessions", time)
    }

    /// Blocks everything that looks at a table for this long; on SQLite, all writes.
    pub fn hold_table(&self, table: &'static str, time: std::time::Duration) -> std::thread::JoinHandle<()> {
        let database = self.clone();
        let (tell, holds) = std::sync::mpsc::channel();
        let hold = move || {
            let mut run: Box<dyn FnMut(&str)> = match &*database.0 {
                Kind::Sqlite(folder) => {
                    let mut conn = sqlite(folder);
                    Box::new(move |statement| conn.batch_execute(statement).unwrap())
                }
                Kind::Postgres { .. } => {
                    let mut conn = PgConnection::establish(&database.url()).unwrap();
                    Box::new(move |statement| conn.batch_execute(statement).unwrap())
                }
            };
            match &*database.0 {
                Kind::Sqlite(_) => run("BEGIN IMMEDIATE"),
                Kind::Postgres { .. } => {
                    run(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
                }
            }
            tell.send(()).unwrap();
            std::thread::sleep(time);
            run("ROLLBACK");
        };
        let thread = std::thread::spawn(hold);
        holds.recv().unwrap();
        thread
    }

    fn load<Row>(&self, query: &str) -> Vec<Row>
    where
        Row: diesel::deserialize::QueryableByName<diesel::sqlite::Sqlite>
            + diesel::deserialize::QueryableByName<diesel::pg::Pg>
            + 'static,
    {
        use diesel::RunQueryDsl;
        let query = diesel::sql_query(query);
        match &*self.0 {
            Kind::Sqlite(folder) => query.load(&mut sqlite(folder)).unwrap(),
            Kind::Postgres { .. } => query.load(&mut PgConnection::establish(&self.url()).unwrap()).unwrap(),
        }
    }

    /// Grants a role, which takes effect with the next tokens.
    pub fn grant(&self, user: &str, role: &str) {
        self.execute(&format!("INSERT INTO user_roles VALUES ('{user}', '{role}', '2026-01-01 00:00:00')"));
    }

    /// Bytes as an SQL literal.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match &*self.0 {
            Kind::Sqlite(_) => format!("X'{hex}'"),
            Kind::Postgres { .. } => format!("'\\x{hex}'"),
        }
    }
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

fn sqlite(folder: &TempDir) -> diesel::SqliteConnection {
    let path = folder.path().join("weauth.db");
    let mut connection = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
    connection
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

//! The basis of every test here: the real `weauth` as a child process, its own database, a WeChat to talk to, and
//! a ledger that searches for leaked secrets at the end of each test.

mod answer;
mod app;
mod database;
mod ledger;
mod login;
mod process;
mod proxy;
mod readme;
mod revoked;
mod scripted;
mod simulator;
mod world;

pub use answer::Answer;
pub use app::TestApp;
pub use database::Database;
pub use login::Login;
pub use process::{Process, run_weauth};
pub use proxy::Proxy;
pub use readme::readme_block;
pub use revoked::await_revoked;
pub use scripted::{Gate, Reply, ScriptedWeChat};
pub use world::{Builder, ISSUER, app_secret, appid, master_key};

/// Runs each of these tests, `async fn name(db: Database)`, on both databases: as `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::Database;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Database::postgres()).await;
            }
        }
    )+};
}

/// Runs each of these tests on SQLite only: what they test does not depend on the database.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(crate::harness::Database::sqlite()).await;
            }
        }
    )+};
}

/// Runs each of these tests on Postgres only: what they test exists only with a database server.
macro_rules! on_postgres {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(crate::harness::Database::postgres()).await;
            }
        }
    )+};
}
pub(crate) use {on_both, on_postgres, on_sqlite};

/// A code that no test has used before.
pub fn new_code() -> String {
    format!("0{}", uuid::Uuid::now_v7().simple())
}

#[test]
fn the_address_is_read_from_plain_and_json_lines() {
    for line in [
        "[2026-01-01T00:00:00Z INFO  weauth::http] listening on http://127.0.0.1:4711",
        r#"{"level":"info","message":"listening on http://127.0.0.1:4711"}"#,
        "listening on http://127.0.0.1:4711/ (press Ctrl-C to stop)",
    ] {
        assert_eq!(process::said_address(line).as_deref(), Some("http://127.0.0.1:4711"), "{line}");
    }
    assert_eq!(process::said_address("listening"), None);
}

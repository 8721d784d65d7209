//! Tests of the store alone, on both databases.

mod connection;
mod full_disk;
mod group_commit;
mod keys;
mod purge;
mod recent_logins;
mod revocations;
mod session_model;
mod sign_in;
mod user_deletion;
mod user_list;

use super::{Migrator, Pool, Purpose, open_pool};
use crate::domain::DatabaseUrl;
use diesel::connection::SimpleConnection;

/// A new, migrated database that is deleted with the test.
struct Fresh {
    pool: Pool,
    writers: Pool,
    url: DatabaseUrl,
    _folder: tempfile::TempDir,
}

/// A new SQLite file and a new Postgres schema.
fn both() -> [Fresh; 2] {
    [sqlite(), postgres()]
}

fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    migrated(&format!("sqlite://{}/test.db", folder.path().display()), folder)
}

fn postgres() -> Fresh {
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        panic!("TEST_DATABASE_URL names no Postgres: run the tests by tests/run, which starts one");
    };
    let schema = format!("store_{}", uuid::Uuid::now_v7().simple());
    let url = DatabaseUrl::parse(&server).unwrap();
    let mut conn = super::connection::connect(&url).unwrap();
    conn.batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
    let separator = if server.contains('?') { '&' } else { '?' };
    let options = format!("options=-csearch_path%3D{schema}");
    migrated(&format!("{server}{separator}{options}"), tempfile::tempdir().unwrap())
}

fn migrated(url: &str, folder: tempfile::TempDir) -> Fresh {
    let url = DatabaseUrl::parse(url).unwrap();
    Migrator::connect(&url).unwrap().apply_pending().unwrap();
    let pool = open_pool(&url, Purpose::Read, 2).unwrap();
    let writers = open_pool(&url, Purpose::Write, 1).unwrap();
    Fresh { pool, writers, url, _folder: folder }
}

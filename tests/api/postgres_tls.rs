//! TLS to Postgres according to libpq's `sslmode`: in a build with the feature `postgres-tls`, against the
//! Postgres of `tests/run`, which has its own certificate.

use crate::harness::{Builder, Database, on_postgres};
use std::path::{Path, PathBuf};
use std::process::Command;

on_postgres!(
    a_required_tls_is_used_by_every_connection,
    a_server_is_known_by_its_certificate,
    a_server_with_a_certificate_of_somebody_else_is_refused,
);

async fn a_required_tls_is_used_by_every_connection(db: Database) {
    let url = with(&db, "sslmode=require");
    let app = Builder::new(db.clone()).database_url(url).start().await;
    let alice = app.login("alice").await;
    app.me(&alice.access_token).await.ok();

    let others = "pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(db.count(others) >= 2, "a reader and a writer");
    assert_eq!(db.count(&format!("{others} AND NOT ssl")), 0);
}

async fn a_server_is_known_by_its_certificate(db: Database) {
    let certificate = certificate_of_the_server();
    let url = with(&db, &format!("sslmode=verify-full&sslrootcert={}", certificate.display()));
    let app = Builder::new(db).database_url(url).start().await;
    let alice = app.login("alice").await;
    app.me(&alice.access_token).await.ok();
}

async fn a_server_with_a_certificate_of_somebody_else_is_refused(db: Database) {
    let app = Builder::new(db.clone()).start().await;
    let other = app.folder().join("other.crt");
    make_certificate(&other);
    let url = with(&db, &format!("sslmode=verify-full&sslrootcert={}", other.display()));

    let refused = app.weauth_with(&["migrate"], &[("DATABASE_URL", &url)]);

    assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
    assert!(refused.said.contains("certificate verify failed"), "{}", refused.said);
}

fn with(db: &Database, option: &str) -> String {
    let url = db.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{option}")
}

fn certificate_of_the_server() -> PathBuf {
    let path = std::env::var("TEST_DATABASE_CERTIFICATE").expect(
        "TEST_DATABASE_CERTIFICATE names no file: `tests/run` makes a certificate where `openssl` is installed",
    );
    PathBuf::from(path)
}

fn make_certificate(path: &Path) {
    let key = path.with_extension("key");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(path)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

//! The commands that look into the database: tables for people, JSON for scripts, exit codes for both.

use crate::harness::{Database, TestApp, on_both, on_sqlite};
use serde_json::Value;

on_both!(the_signing_keys_are_listed);
on_sqlite!(a_database_that_is_not_there_is_named_with_the_mend);

async fn the_signing_keys_are_listed(db: Database) {
    let app = TestApp::on(db).await;
    let jwks = app.get("/.well-known/jwks.json").await.json();
    let kid = jwks["keys"][0]["kid"].as_str().unwrap();

    let json = app.weauth(&["keys", "list", "--json"]);
    assert!(json.status.success(), "{}", json.said);
    let listed: Value = serde_json::from_str(&json.printed).unwrap();
    assert_eq!(listed["items"][0]["kid"], kid);
    assert_eq!(listed["items"][0]["state"], "signs");
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        1,
        "the key of refresh tokens is nobody's business"
    );

    let table = app.weauth(&["keys", "list"]).printed;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].split_whitespace().next(), Some("KID"), "{table}");
    assert!(lines[1].starts_with(kid) && lines[1].contains("EdDSA"), "{table}");
}

async fn a_database_that_is_not_there_is_named_with_the_mend(db: Database) {
    let app = TestApp::on(db).await;
    let missing = app.weauth_with(&["keys", "list"], &[("DATABASE_URL", "sqlite://missing.db")]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        missing.said.contains("missing.db") && missing.said.contains("weauth migrate"),
        "{}",
        missing.said
    );
    assert!(!app.folder().join("missing.db").exists());

    let reverted = app.weauth(&["migrate", "--revert", "1"]);
    assert!(reverted.status.success(), "{}", reverted.said);
    let behind = app.weauth(&["keys", "list"]);
    assert_eq!(behind.status.code(), Some(1));
    assert!(behind.said.contains("pending") && behind.said.contains("weauth migrate"), "{}", behind.said);
}

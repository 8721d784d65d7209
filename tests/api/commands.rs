//! The commands that read the database: tables for people, JSON for scripts, exit codes for both.

use crate::harness::{Database, TestApp, on_both, on_postgres, on_sqlite};
use serde_json::Value;
use std::process::{Command, Output, Stdio};

on_both!(
    the_signing_keys_are_listed,
    to_revert_more_than_there_is_reverts_nothing,
    what_was_done_is_done_though_nobody_reads_of_it,
    what_was_done_is_said_though_it_cannot_be_printed
);
on_sqlite!(
    a_database_that_is_not_there_is_named_with_the_mend,
    whoever_runs_a_command_is_recorded_by_their_own_name,
);
on_postgres!(a_role_that_may_not_change_the_schema_will_do);

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
        missing.said.starts_with("sqlite://missing.db (from DATABASE_URL): ")
            && missing.said.contains("weauth migrate"),
        "{}",
        missing.said
    );
    let unset = [("DATABASE_URL", "")];
    let default = app.weauth_with(&["users", "list"], &unset).said;
    assert!(
        default.starts_with("sqlite://weauth.db (the default, as there is no weauth.toml here"),
        "{default}"
    );
    assert!(default.contains("DATABASE_URL") && default.contains("--config"), "{default}");
    std::fs::write(app.folder().join("weauth.toml"), "database_url = 'sqlite://other.db'").unwrap();
    let in_file = app.weauth_with(&["users", "list"], &unset).said;
    assert!(in_file.starts_with("sqlite://other.db (from database_url in weauth.toml): "), "{in_file}");
    std::fs::write(app.folder().join("weauth.toml"), "").unwrap();
    let not_in_file = app.weauth_with(&["users", "list"], &unset).said;
    assert!(
        not_in_file.contains("(the default, as there is no database_url in weauth.toml"),
        "{not_in_file}"
    );
    let status = app.weauth_with(&["migrate", "--status"], &[("DATABASE_URL", "sqlite://missing.db")]);
    assert!(status.status.success() && status.printed.lines().all(|line| line.starts_with("[ ] 20")));
    let revert = app.weauth_with(&["migrate", "--revert", "1"], &[("DATABASE_URL", "sqlite://missing.db")]);
    assert!(revert.status.code() == Some(1) && revert.said.contains("no such file"), "{}", revert.said);
    assert!(!app.folder().join("missing.db").exists(), "whoever looks makes nothing");

    let reverted = app.weauth(&["migrate", "--revert", "1"]);
    assert!(reverted.status.success(), "{}", reverted.said);
    let behind = app.weauth(&["keys", "list"]);
    assert_eq!(behind.status.code(), Some(1));
    assert!(behind.said.contains("pending") && behind.said.contains("weauth migrate"), "{}", behind.said);
}

async fn whoever_runs_a_command_is_recorded_by_their_own_name(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    for (act, names) in [
        ("ban", &[("USER", "weauth"), ("LOGNAME", "weauth"), ("SUDO_USER", "carol")][..]),
        ("unban", &[("USER", ""), ("LOGNAME", "dave")]),
        ("ban", &[]),
    ] {
        assert!(app.weauth_with(&["users", act, login.user_id()], names).status.success());
    }
    let actors =
        db.texts("SELECT actor AS text FROM audit WHERE action IN ('user.ban', 'user.unban') ORDER BY id");
    assert_eq!(actors, ["terminal:carol", "terminal:dave", "terminal"]);
}

async fn to_revert_more_than_there_is_reverts_nothing(db: Database) {
    let app = TestApp::on(db).await;
    let before = app.weauth(&["migrate", "--status"]).printed;
    let count = before.lines().count();
    assert!(count > 5 && before.lines().all(|line| line.starts_with("[x] 20")), "{before}");
    let refused = app.weauth(&["migrate", "--revert", &(count + 1).to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.said.contains(&format!("{count} are applied; nothing was changed")), "{}", refused.said);
    assert_eq!(app.weauth(&["migrate", "--status"]).printed, before);

    let last = before.lines().last().unwrap().replace("[x] ", "");
    assert_eq!(app.weauth(&["migrate", "--revert", "1"]).printed, format!("reverted {last}"));
    assert_eq!(app.weauth(&["migrate"]).printed, format!("applied {last}"));
}

async fn a_role_that_may_not_change_the_schema_will_do(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let role = format!("clerk_{}", std::process::id());
    for statement in [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'clerk'"),
        &format!("GRANT USAGE ON SCHEMA public TO {role}"),
        &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
    ] {
        db.execute(statement);
    }
    let url = app.setting("DATABASE_URL");
    let (_, place) = url.rsplit_once('@').unwrap();
    let url = format!("postgres://{role}:clerk@{place}");
    for (arguments, expected) in [
        (&["users", "list"][..], "ID"),
        (&["migrate"], "nothing to do"),
        (&["migrate", "--status"], "[x]"),
        (&["keys", "rotate"], "signs from"),
    ] {
        let done = app.weauth_with(arguments, &[("DATABASE_URL", &url)]);
        assert!(done.status.success(), "{arguments:?}: {}", done.said);
        assert!(
            format!("{}{}", done.printed, done.said).contains(expected),
            "{arguments:?}: {}",
            done.printed
        );
    }
    let node = app.second_node_with("DATABASE_URL", &url).await;
    let login = node.login("alice").await;
    node.me(&login.access_token).await.ok();
    node.stop();
    db.execute(&format!("DROP OWNED BY {role}"));
    db.execute(&format!("DROP ROLE {role}"));
}

async fn what_was_done_is_done_though_nobody_reads_of_it(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = printing_to(writer, &app, &["users", "ban", login.user_id()]);
    assert_eq!(ended.status.code(), Some(0), "as with `| head`, the reader has read enough");
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let shown = app.weauth(&["users", "list", "--status", "banned"]).printed;
    assert!(shown.contains(login.user_id()), "{shown}");
}

async fn what_was_done_is_said_though_it_cannot_be_printed(db: Database) {
    let app = TestApp::on(db).await;
    let id = app.login("alice").await.user_id().to_owned();
    let last = app.weauth(&["migrate", "--status"]).printed.lines().last().unwrap().replace("[x] ", "");
    let cases = [
        (&["users", "list"][..], ""),
        (&["users", "list", "--json"], ""),
        (&["users", "ban", &id], "is banned; 1 session ended"),
        (&["users", "delete", &id, "--yes"], "is deleted"),
        (&["keys", "rotate"], "signs from"),
        (&["keys", "reencrypt"], "Everything is encrypted"),
        (&["migrate", "--revert", "1"], &last),
        (&["migrate"], &last),
    ];
    for (arguments, done) in cases {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = printing_to(full, &app, arguments);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output: No space left on device"), "{arguments:?}: {said}");
        let is_done = said.contains("done, but it could not be printed") && said.contains(done);
        assert_eq!(is_done, !done.is_empty(), "{arguments:?}: {said}");
    }
}

/// Runs a command of `weauth` whose standard output is something else than a pipe that is read.
fn printing_to(stdout: impl Into<Stdio>, app: &TestApp, arguments: &[&str]) -> Output {
    let mut weauth = Command::new(env!("CARGO_BIN_EXE_weauth"));
    for name in ["DATABASE_URL", "WEAUTH_MASTER_KEY"] {
        weauth.env(name, app.setting(name));
    }
    weauth.args(arguments).current_dir(app.folder()).stdout(stdout).stderr(Stdio::piped());
    weauth.spawn().unwrap().wait_with_output().unwrap()
}

//! Clock skew is reported, and does as little harm as possible.

use crate::harness::{Builder, Database, Login, TestApp, await_revoked, on_both, on_postgres};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

on_both!(a_clock_behind_all_keys_is_told_of_and_the_first_key_signs);
on_postgres!(
    nodes_whose_clocks_are_apart_say_so_and_keep_to_one,
    the_oldest_session_is_the_one_opened_first_by_whichever_clock,
);

async fn a_clock_behind_all_keys_is_told_of_and_the_first_key_signs(db: Database) {
    let app = TestApp::on(db.clone()).await;
    assert!(!app.log().contains("clock"), "{}", app.log());
    let alice = app.login("alice").await;
    app.stop();
    db.execute("UPDATE keys SET created_at = '2099-01-01 00:00:00', active_from = '2099-01-01 00:00:00'");

    let app = app.restart().await;

    let log = app.log();
    assert!(
        log.contains("this machine's clock") && log.contains("behind what stands in the database"),
        "{log}"
    );
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
    assert!(app.weauth(&["keys", "rotate"]).status.success());
    let other = app.second_node_with("WEAUTH_SIGNING_ALGORITHM", "ES256").await;
    for node in [&app, &other] {
        node.me(&alice.access_token).await.ok();
        app.me(&node.login("alice").await.access_token).await.ok();
    }
}

async fn nodes_whose_clocks_are_apart_say_so_and_keep_to_one(db: Database) {
    let app = TestApp::on(db).await;
    for skew in [-3600, -4, 4, 3600] {
        let folder = tempfile::tempdir().unwrap();
        let preload = skewed_clock(folder.path(), skew);
        let other = app.second_node_with("LD_PRELOAD", preload.to_str().unwrap()).await;
        let (log, this_clock) = (other.log(), "this machine's clock is");
        assert_eq!(log.contains(this_clock), skew.abs() > 5, "{skew}: {log}");
        let says = |way: &str| {
            (3595..=3600).any(|by| log.contains(&format!("{this_clock} {by} s {way} the database's")))
        };
        assert_eq!([says("ahead of"), says("behind")], [skew == 3600, skew == -3600], "{skew}: {log}");
        for (here, there) in [(&app, &other), (&other, &app)] {
            let code = here.code_for("alice");
            let login = Login::from(&here.login_with(json!({"code": code})).await);
            there.me(&login.access_token).await.ok();
            there.login_with(json!({"code": code})).await.problem(401, "wechat_code_used");
            let mut token = login.refresh_token.clone();
            for node in [there, here, there, there] {
                let refreshed = node.post_json("/token/refresh", json!({"refresh_token": token})).await;
                token = Login::from(&refreshed).refresh_token;
            }
            let logout = there.request(Method::POST, "/logout").bearer_auth(&login.access_token);
            assert_eq!(there.send(logout).await.status, 204);
            await_revoked(here, &login.access_token).await;
        }
    }
}

async fn the_oldest_session_is_the_one_opened_first_by_whichever_clock(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_MAX_SESSIONS", "2").start().await;
    let folder = tempfile::tempdir().unwrap();
    let preload = skewed_clock(folder.path(), 3600);
    let ahead = app.second_node_with("LD_PRELOAD", preload.to_str().unwrap()).await;

    let (first, second) = (ahead.login("alice").await, app.login("alice").await);
    assert_eq!(sessions_of(&app, &second).await, [second.sid(), first.sid()], "the latest first");
    let third = app.login("alice").await;

    app.me(&first.access_token).await.problem(401, "token_revoked");
    assert_eq!(sessions_of(&app, &third).await, [third.sid(), second.sid()]);
    let audited = |order| db.texts(&format!("SELECT id AS text FROM audit ORDER BY {order}"));
    assert_eq!(audited("id"), audited("at, id"), "ids rise with time");
}

/// The sessions of whoever has logged in, in the order in which they are listed.
async fn sessions_of(app: &TestApp, login: &Login) -> Vec<String> {
    let listed = app.send(app.request(Method::GET, "/me/sessions").bearer_auth(&login.access_token)).await;
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
    listed.ok()["items"].as_array().unwrap().iter().map(id).collect()
}

/// Compiles what shows a program a wall clock that is off by so many seconds.
fn skewed_clock(folder: &Path, seconds: i64) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/harness/skewed_clock.c");
    let library = folder.join("skewed_clock.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", &format!("-DSKEW_SECONDS={seconds}"), "-o"])
        .arg(&library)
        .arg(source);
    assert!(cc.status().is_ok_and(|status| status.success()), "the C compiler");
    library
}

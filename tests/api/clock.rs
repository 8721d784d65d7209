//! Clock skew is reported, and does as little harm as possible.

use crate::harness::{Database, Login, TestApp, await_revoked, on_both, on_postgres};
use reqwest::Method;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use weauth::actors::{Db, DbSettings};
use weauth::domain::{Actor, Clock, DatabaseUrl, UserId};
use weauth::flows::{ClockDifference, shared_time};
use weauth::store::{Direct, EndSessions, Ending};

on_both!(a_clock_behind_all_keys_is_told_of_and_the_first_key_signs);
on_postgres!(
    a_clock_that_is_not_the_databases_is_told_of,
    nodes_whose_clocks_are_apart_keep_to_one,
    what_a_node_ends_whose_clock_is_behind_is_heard_of_all_the_same,
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
    app.me(&alice.access_token).await.ok();
}

async fn a_clock_that_is_not_the_databases_is_told_of(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let url = DatabaseUrl::parse(&db.url()).unwrap();
    let settings = DbSettings { readers: 1, waiting_reads: 10, waiting_writes: 10 };
    let actors = tokio::task::LocalSet::new();
    let differences = actors.run_until(async {
        let db = Db::start(&url, settings).await.unwrap();
        let mut differences = Vec::new();
        for seconds in [0, 3600, -3600] {
            differences.push(shared_time(&db, &Clock::shifted(seconds)).await.unwrap().difference);
        }
        differences
    });

    let differences = differences.await;

    let near = |seconds: i64| (3595..=3600).contains(&seconds);
    assert_eq!(differences[0], None);
    assert!(matches!(differences[1], Some(ClockDifference::Ahead(by)) if near(by)), "{differences:?}");
    assert!(matches!(differences[2], Some(ClockDifference::Behind(by)) if near(by)), "{differences:?}");
    assert!(differences[1].unwrap().to_string().contains("ahead of the database's"));
    drop(app);
}

async fn nodes_whose_clocks_are_apart_keep_to_one(db: Database) {
    let app = TestApp::on(db).await;
    for skew in [-3600, -4, 4, 3600] {
        let folder = tempfile::tempdir().unwrap();
        let preload = skewed_clock(folder.path(), skew);
        let other = app.second_node_with("LD_PRELOAD", preload.to_str().unwrap()).await;
        let is_told_of = other.log().contains("this machine's clock is");
        assert_eq!(is_told_of, skew.abs() > 5, "{skew}: {}", other.log());
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

async fn what_a_node_ends_whose_clock_is_behind_is_heard_of_all_the_same(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    app.me(&login.access_token).await.ok();

    let mut elsewhere = Direct::open(&DatabaseUrl::parse(&db.url()).unwrap()).unwrap();
    let user = UserId::from_stored(login.user_id().to_owned());
    let at = Clock::shifted(-3600).now();
    elsewhere.commit(&EndSessions { user, which: Ending::All, by: Actor::server(), at }).unwrap();

    await_revoked(&app, &login.access_token).await;
    app.restart().await.me(&login.access_token).await.problem(401, "token_revoked");
}

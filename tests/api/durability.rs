//! What the server promised stays true when it is stopped, killed or restarted.

use crate::harness::{
    Database, Gate, Login, Reply, ScriptedWeChat, TestApp, master_key, new_code, on_both, on_postgres,
    on_sqlite,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

on_both!(
    a_restart_ends_no_session,
    after_a_kill_every_answered_login_is_in_the_database,
    sigterm_lets_the_logins_under_way_finish,
);
on_postgres!(sigterm_ends_a_server_whose_database_is_silent);
on_sqlite!(
    an_idle_connection_does_not_hold_the_server,
    a_master_key_that_does_not_fit_the_database_is_refused,
    a_new_master_key_before_the_old_one_is_taken,
    the_database_is_for_its_owners_eyes,
);

async fn a_restart_ends_no_session(db: Database) {
    let app = TestApp::on(db).await;
    let alice = app.login("alice").await;
    let keys = app.get("/.well-known/jwks.json").await.json();
    app.stop();

    let app = app.restart().await;

    let mut expected = alice.user.clone();
    expected.as_object_mut().unwrap().remove("created");
    assert_eq!(app.me(&alice.access_token).await.ok(), expected);
    assert_eq!(app.get("/.well-known/jwks.json").await.json(), keys);
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
}

async fn after_a_kill_every_answered_login_is_in_the_database(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db.clone(), &wechat).await;
    let sign_in = || {
        let body = json!({"code": new_code()}).to_string();
        let request = app.request(Method::POST, "/login").header("Content-Type", "application/json");
        app.try_send(request.body(body))
    };
    let mut under_way: FuturesUnordered<_> = (0..16).map(|_| sign_in()).collect();
    let mut answered: Vec<Login> = Vec::new();
    while let Some(answer) = under_way.next().await {
        let Ok(answer) = answer else { continue };
        answered.push(Login::from(&answer));
        match answered.len() {
            ..60 => under_way.push(sign_in()),
            60 => app.kill(), // with 15 logins in progress
            _ => {}
        }
    }

    let app = app.restart().await;

    for login in &answered {
        assert_eq!(app.me(&login.access_token).await.ok()["id"], login.user_id());
    }
    assert!(db.count("users") >= answered.len() as i64);
    assert_eq!(db.count("users"), db.count("sessions"), "no login is half done");
}

async fn sigterm_lets_the_logins_under_way_finish(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db.clone(), &wechat).await;
    let (code, gate) = (new_code(), Gate::closed());
    wechat.answer(&code, Reply::Gate(gate.clone(), Box::new(Reply::user("oUnderWayAtSigterm0000000000"))));

    let under_way = app.login_with(json!({"code": code}));
    let terminated = async {
        gate.reached_by(1).await;
        app.terminate();
        refuses_connections(&app).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(under_way, terminated);

    let login = Login::from(&answer);
    assert!(app.end().success(), "the server ended well");
    if let Some(file) = db.url().strip_prefix("sqlite://") {
        let log = std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0, "whoever copies the file now has all of it");
    }
    let app = app.restart().await;
    app.me(&login.access_token).await.ok();
}

async fn an_idle_connection_does_not_hold_the_server(db: Database) {
    let app = TestApp::on(db).await;
    app.get("/healthz").await; // leaves its connection open for the next request
    let _silent = app.connect().await;

    let began = Instant::now();
    app.stop();

    assert!(began.elapsed() < Duration::from_secs(10), "stopping took {:?}", began.elapsed());
}

async fn a_master_key_that_does_not_fit_the_database_is_refused(db: Database) {
    let app = TestApp::on(db).await;
    app.login("alice").await;
    app.stop();
    let other = master_key();

    let refused = app.weauth_with(&["serve"], &[("WEAUTH_MASTER_KEY", &other)]);

    assert!(!refused.status.success(), "{}", refused.said);
    assert!(refused.said.contains("WEAUTH_MASTER_KEY"), "the refusal names the setting: {}", refused.said);
}

async fn a_new_master_key_before_the_old_one_is_taken(db: Database) {
    let app = TestApp::on(db).await;
    let alice = app.login("alice").await;
    let old = app.setting("WEAUTH_MASTER_KEY");
    app.stop();

    let app = app.second_node_with("WEAUTH_MASTER_KEY", &format!("{},{old}", master_key())).await;

    app.me(&alice.access_token).await.ok();
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
}

async fn sigterm_ends_a_server_whose_database_is_silent(db: Database) {
    let app = TestApp::on(db.clone()).await;
    app.login("alice").await;
    let held = db.hold_table("revocations", Duration::from_secs(40));
    app.wait_for_line("no word from other nodes");
    let began = Instant::now();

    app.terminate();
    let status = app.end();

    assert!(status.success() && began.elapsed() < Duration::from_secs(20), "{status}, {:?}", began.elapsed());
    held.join().unwrap();
}

async fn the_database_is_for_its_owners_eyes(db: Database) {
    use std::os::unix::fs::PermissionsExt;
    let app = TestApp::on(db.clone()).await;
    app.login("alice").await;
    let path = db.url().trim_start_matches("sqlite://").to_owned();
    for file in [path.clone(), format!("{path}-wal"), format!("{path}-shm")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// Waits until nobody listens any more, which is how SIGTERM shows from outside; a server that keeps its socket
/// open while it finishes is given two seconds.
async fn refuses_connections(app: &TestApp) {
    let address = app.url.trim_start_matches("http://");
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), refused).await.ok();
}

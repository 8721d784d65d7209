//! Health, readiness, a database outage and recovery, and overload.

use crate::harness::{
    Builder, Database, Gate, Login, Proxy, Reply, ScriptedWeChat, TestApp, new_code, on_both, on_postgres,
    on_sqlite,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(a_healthy_server_says_so, a_server_behind_on_migrations_is_not_ready);
on_postgres!(
    a_server_outlives_its_database,
    a_database_that_was_started_anew_is_asked_as_if_nothing_were,
    a_database_that_takes_no_writes_is_not_ready,
);
on_sqlite!(
    a_file_that_is_not_in_its_place_any_more_is_told_of,
    more_logins_than_agreed_are_refused_at_once,
    a_log_for_machines_has_a_requests_parts_as_fields,
    what_fails_in_the_background_is_told_once_and_when_it_is_over,
    a_write_that_fails_is_told_with_its_request_only,
);

async fn a_healthy_server_says_so(db: Database) {
    let app = TestApp::on(db).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

async fn a_server_behind_on_migrations_is_not_ready(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let reverted = app.weauth(&["migrate", "--revert", "1"]);
    assert!(reverted.status.success(), "{}", reverted.said);

    let answer = app.get("/readyz").await;

    let problem = answer.problem(503, "database_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("weauth migrate"), "{problem}");
    assert_eq!(app.get("/healthz").await.status, 200);
    assert!(app.weauth(&["migrate"]).status.success());
    until_ready(&app).await;

    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    let status = app.weauth(&["migrate", "--status"]);
    assert!(status.said.contains("[x] 29990101000000 (unknown to this weauth"), "{}", status.said);
    assert_eq!(app.get("/readyz").await.status, 200);
}

async fn a_server_outlives_its_database(db: Database) {
    let proxy = Proxy::to(db.address()).await;
    let wechat = ScriptedWeChat::start().await;
    let url = db.url_through(proxy.address);
    let app = Builder::new(db).wechat(&wechat).database_url(url).start().await;
    let before = Login::from(&app.login_with(json!({"code": new_code()})).await);

    proxy.cut();

    for _ in 0..3 {
        let began = Instant::now();
        let answer = app.login_with(json!({"code": new_code()})).await;
        answer.problem_with_retry(503, "database_unavailable", "later");
        app.get("/readyz").await.problem(503, "database_unavailable");
        assert!(began.elapsed() < Duration::from_secs(15), "the answers took {:?}", began.elapsed());
    }
    assert_eq!(app.get("/healthz").await.status, 200, "a restart would not bring the database back");

    proxy.mend();

    until_ready(&app).await;
    app.me(&before.access_token).await.ok();
    app.login_with(json!({"code": new_code()})).await.ok();
}

/// The restart leaves all of the server's connections dead.
async fn a_database_that_was_started_anew_is_asked_as_if_nothing_were(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    let list = || app.send(app.request(Method::GET, "/me/sessions").bearer_auth(&login.access_token));
    for answer in join_all((0..20).map(|_| list())).await {
        answer.ok();
    }

    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );

    for answer in join_all((0..20).map(|_| list())).await {
        answer.ok();
    }
}

async fn a_file_that_is_not_in_its_place_any_more_is_told_of(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let path = db.url().trim_start_matches("sqlite://").to_owned();
    let elsewhere = format!("{path}-elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    app.get("/readyz").await.problem(503, "database_unavailable");
    app.wait_for_line("its file was deleted or replaced");
    std::fs::write(&path, "").unwrap();
    app.get("/readyz").await.problem(503, "database_unavailable");
}

async fn a_log_for_machines_has_a_requests_parts_as_fields(db: Database) {
    let app = Builder::new(db).set("WEAUTH_LOG_FORMAT", "json").start().await;
    let answer = app.get("/nothing?really").await;
    app.wait_for_line("(no route)");
    let log = app.log();
    let line = log.lines().find(|line| line.contains("\"path\":\"(no route)\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let parts = ["method", "status", "code", "ip", "request_id"].map(|part| line[part].clone());
    let request_id = json!(answer.header("x-request-id"));
    assert_eq!(parts, [json!("GET"), json!(404), json!("not_found"), json!("127.0.0.1"), request_id]);
    assert!(line["duration_ms"].is_f64() && line["message"].is_string(), "{line}");
}

async fn what_fails_in_the_background_is_told_once_and_when_it_is_over(db: Database) {
    let app = TestApp::on(db.clone()).await;
    app.login("alice").await;
    db.execute("CREATE TRIGGER no BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'not now'); END");
    app.login("alice").await;
    app.wait_for_line("last logins can't be noted");
    app.wait_for_lines(3, "not now");

    db.execute("DROP TRIGGER no");

    app.wait_for_line("last logins are noted again");
    assert_eq!((app.warnings_with("not now"), app.errors_with("not now")), (1, 0));
}

async fn a_write_that_fails_is_told_with_its_request_only(db: Database) {
    let app = TestApp::on(db.clone()).await;
    db.execute("CREATE TRIGGER no BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'not now'); END");

    let answer = app.login_with(json!({"code": app.code_for("alice")})).await;

    answer.problem_with_retry(503, "database_unavailable", "later");
    app.wait_for_line("POST /login 503");
    assert_eq!(app.errors_with("not now"), 1);
}

async fn more_logins_than_agreed_are_refused_at_once(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).wechat(&wechat).set("WEAUTH_MAX_IN_FLIGHT", "2").start().await;
    let gate = Gate::closed();
    let codes = [new_code(), new_code()];
    for (code, openid) in codes.iter().zip(["oFirstOfTwo00000000000000000", "oSecondOfTwo0000000000000000"]) {
        wechat.answer(code, Reply::Gate(gate.clone(), Box::new(Reply::user(openid))));
    }
    let waiting = async { tokio::join!(login(&app, &codes[0]), login(&app, &codes[1])) };
    let refused = async {
        gate.reached_by(2).await;
        let third = new_code();
        let answer = app.login_with(json!({"code": third})).await;
        answer.problem_with_retry(503, "overloaded", "later");
        assert_eq!(wechat.calls(&third), 0, "a refused login spends no code");
        let same = app.login_with(json!({"code": codes[0]})).await;
        same.problem_with_retry(503, "overloaded", "later");
        gate.open();
        third
    };

    let (_, third) = tokio::join!(waiting, refused);

    login(&app, &third).await;
}

async fn a_database_that_takes_no_writes_is_not_ready(db: Database) {
    let app = TestApp::on(db.clone()).await;
    app.stop();
    db.execute(
        "DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
         END $$",
    );

    let app = app.restart().await;

    app.get("/readyz").await.problem(503, "database_unavailable");
    let answer = app.login_with(json!({"code": app.code_for("alice")})).await;
    answer.problem(503, "database_unavailable");
}

async fn login(app: &TestApp, code: &str) -> Login {
    Login::from(&app.login_with(json!({"code": code})).await)
}

/// Waits until the server reports that it is ready.
async fn until_ready(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while app.get("/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "the server never became ready again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

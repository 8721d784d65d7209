//! The server against the simulator's faults: whatever `weauth simulate` does to others is tested on weauth first.

use crate::harness::{Builder, Database, Login, TestApp, new_code, on_both, on_sqlite};
use futures_util::future::join_all;
use serde_json::json;

on_both!(one_code_is_one_call_however_slow_wechat_is);
on_sqlite!(
    every_fault_of_the_simulator_has_its_answer,
    a_busy_moment_is_not_noticed,
    an_unlucky_exchange_leaves_the_next_one_alone,
    a_login_asks_wechat_for_no_access_token,
);

async fn one_code_is_one_call_however_slow_wechat_is(db: Database) {
    let app = TestApp::on(db).await;
    app.fault(json!({"fault": "latency", "latency_ms": 1000})).await;
    let code = app.code_for("alice");

    let answers = join_all((0..30).map(|_| app.login_with(json!({"code": code})))).await;

    let sessions: Vec<String> = answers.iter().map(|answer| Login::from(answer).sid()).collect();
    assert!(sessions.iter().all(|sid| *sid == sessions[0]));
    let counters = app.counters().await;
    assert_eq!(counters["jscode2session"]["max_calls_per_code"], 1, "{counters}");
}

async fn every_fault_of_the_simulator_has_its_answer(db: Database) {
    const OK: &[(u16, &str)] = &[(200, "")];
    const BAD: &[(u16, &str)] = &[(502, "wechat_bad_response")];
    const BROKEN: &[(u16, &str)] = &[(502, "wechat_bad_response"), (503, "wechat_unavailable")];
    const LATE: &[(u16, &str)] = &[(504, "wechat_timeout")];
    const INVALID: &[(u16, &str)] = &[(401, "wechat_code_invalid")];
    let cases = [
        ("errcode-zero", OK),
        ("extra-fields", OK),
        ("latency-300", OK),
        ("errcode-string", INVALID),
        ("old-errmsg", INVALID),
        ("html", BAD),
        ("empty", BAD),
        ("empty-object", BAD),
        ("not-an-object", BAD),
        ("not-utf8", BAD),
        ("deep-nesting", BAD),
        ("redirect", BAD),
        ("endless", BAD),
        ("huge", BAD),
        ("truncated", BAD),
        ("no-openid", BAD),
        ("no-session-key", BAD),
        ("wrong-types", BAD),
        ("http500", BAD),
        ("http404", BAD),
        ("reset-before", BROKEN),
        ("reset-after", BROKEN),
        ("cut-body", BROKEN),
        ("timeout", LATE),
        ("timeout-after", LATE),
    ];
    let app = Builder::new(db).apps(cases.len()).start().await;
    let logins = app.apps().iter().zip(cases).map(|(mini_program, (fault, _))| {
        let code = format!("fault.{fault}.{}", new_code());
        app.login_with(json!({"code": code, "appid": mini_program.appid}))
    });
    for (answer, (fault, expected)) in join_all(logins).await.iter().zip(cases) {
        let outcome = (answer.status.as_u16(), answer.code());
        let fits = expected.iter().any(|(status, code)| outcome == (*status, (*code).to_owned()));
        assert!(fits, "{fault} gives {answer:?}");
    }
}

async fn a_busy_moment_is_not_noticed(db: Database) {
    let app = TestApp::on(db).await;
    app.fault(json!({"fault": "errcode", "errcode": -1, "times": 1, "endpoint": "jscode2session"})).await;

    app.login("alice").await;

    let counters = app.counters().await;
    assert_eq!(
        (&counters["jscode2session"]["calls"], &counters["jscode2session"]["faults"]),
        (&json!(2), &json!(1))
    );
}

async fn an_unlucky_exchange_leaves_the_next_one_alone(db: Database) {
    let app = TestApp::on(db).await;
    app.fault(json!({"fault": "html", "times": 1})).await;
    app.login_with(json!({"code": app.code_for("alice")})).await.problem(502, "wechat_bad_response");

    app.login("alice").await;
}

async fn a_login_asks_wechat_for_no_access_token(db: Database) {
    let app = TestApp::on(db).await;
    app.login("alice").await;

    let counters = app.counters().await;
    assert_eq!(counters["jscode2session"]["ok"], 1, "{counters}");
    for token in ["stable_token", "token"] {
        assert_eq!(counters[token]["calls"], 0, "a login must not depend on the token endpoint: {counters}");
    }
}

//! One code is exchanged once, whoever sends it, however often and however concurrently.

use crate::harness::{
    Answer, Builder, Database, Gate, Login, Reply, ScriptedWeChat, TestApp, new_code, on_both,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

on_both!(
    sixty_callers_with_one_code_share_one_exchange,
    a_caller_that_hangs_up_takes_nobody_with_it,
    an_answer_that_was_lost_can_be_asked_for_again,
    fifty_first_logins_at_once_make_one_user,
    two_nodes_that_get_one_code_give_one_session,
    a_burst_over_two_nodes_shares_the_session_whose_write_is_slow,
    a_node_that_comes_second_waits_for_the_first,
    a_used_code_is_used,
    a_used_code_is_used_however_many_bring_it_at_once,
    a_used_code_is_used_after_a_restart_even_if_wechat_forgot_it,
    the_same_idempotency_key_gets_the_same_session,
    a_repeat_is_told_how_long_its_session_still_holds,
    the_replay_window_ends,
    the_replay_window_can_be_turned_off,
);

/// Time for requests that were sent to reach the server.
const ARRIVAL: Duration = Duration::from_millis(500);

async fn sixty_callers_with_one_code_share_one_exchange(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let (code, gate) = (new_code(), Gate::closed());
    wechat.answer(&code, Reply::Gate(gate.clone(), Box::new(Reply::user("oSixtyCallers00000000000000"))));

    let callers = join_all((0..60).map(|_| app.login_with(json!({"code": code}))));
    let opened = async {
        gate.reached_by(1).await;
        tokio::time::sleep(ARRIVAL).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(callers, opened);

    assert_eq!(wechat.calls(&code), 1);
    assert_one_session(&answers);
}

async fn a_caller_that_hangs_up_takes_nobody_with_it(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let (code, gate) = (new_code(), Gate::closed());
    wechat.answer(&code, Reply::Gate(gate.clone(), Box::new(Reply::user("oImpatient000000000000000000"))));

    let mut impatient = app.connect().await;
    impatient.write_all(login_request(&code, None).as_bytes()).await.unwrap();
    gate.reached_by(1).await;
    let patient = app.login_with(json!({"code": code}));
    let hung_up = async {
        tokio::time::sleep(ARRIVAL).await;
        drop(impatient);
        tokio::time::sleep(ARRIVAL).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(patient, hung_up);

    Login::from(&answer);
    assert_eq!(wechat.calls(&code), 1);
}

async fn an_answer_that_was_lost_can_be_asked_for_again(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let (code, gate) = (new_code(), Gate::closed());
    let exchanged = Reply::Gate(gate.clone(), Box::new(Reply::user("oLostAnswer00000000000000000")));
    wechat.answer(&code, Reply::InTurn(vec![exchanged, Reply::errcode(40163)]));

    let mut impatient = app.connect().await;
    impatient.write_all(login_request(&code, Some("attempt-1")).as_bytes()).await.unwrap();
    gate.reached_by(1).await;
    drop(impatient);
    tokio::time::sleep(ARRIVAL).await;
    gate.open();

    Login::from(&app.login_as_repeat(&code, "attempt-1").await);
    app.login_as_repeat(&code, "attempt-2").await.problem(401, "wechat_code_used");
}

async fn fifty_first_logins_at_once_make_one_user(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let codes = [(); 50].map(|()| app.code_for("alice"));

    let answers = join_all(codes.iter().map(|code| app.login_with(json!({"code": code})))).await;

    let logins: Vec<Login> = answers.iter().map(Login::from).collect();
    assert_eq!(distinct(&logins, Login::user_id), 1);
    assert_eq!(distinct(&logins, Login::sid), 50);
    assert_eq!(created(&logins), 1);
    assert_eq!(db.count("users"), 1);
}

async fn two_nodes_that_get_one_code_give_one_session(db: Database) {
    let one = TestApp::on(db.clone()).await;
    let two = one.second_node().await;
    one.fault(json!({"fault": "latency", "latency_ms": 500})).await; // so that all are concurrent
    for round in 0..10 {
        let code = one.code_for(&format!("person-{round}"));
        let callers = (0..6).map(|n| [&one, &two][n % 2].login_with(json!({"code": code})));
        assert_one_session(&join_all(callers).await);
    }
    assert_eq!(db.count("users"), 10);
}

/// WeChat answers at once, so the second node hears "used" long before it can read which session the code became.
async fn a_burst_over_two_nodes_shares_the_session_whose_write_is_slow(db: Database) {
    let one = TestApp::on(db.clone()).await;
    let two = one.second_node().await;
    let code = one.code_for("alice");
    let held = db.hold(Duration::from_millis(1500)); // nobody is answered before all have come

    let callers = (0..60).map(|n| [&one, &two][n % 2].login_with(json!({"code": code})));
    let answers = join_all(callers).await;

    held.join().unwrap();
    assert_one_session(&answers);
    let counters = one.counters().await;
    let asked = &counters["jscode2session"];
    assert_eq!((&asked["calls"], &asked["ok"]), (&json!(2), &json!(1)), "each node asks WeChat once");
    assert_eq!(db.count("sessions"), 1);
}

async fn a_node_that_comes_second_waits_for_the_first(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let one = TestApp::with_wechat(db, &wechat).await;
    let two = one.second_node().await;
    let (code, first, second) = (new_code(), Gate::closed(), Gate::closed());
    wechat.answer(
        &code,
        Reply::InTurn(vec![
            Reply::Gate(first.clone(), Box::new(Reply::user("oSlowFirstNode00000000000000"))),
            Reply::Gate(second.clone(), Box::new(Reply::errcode(40163))),
        ]),
    );
    let from_one = one.login_with(json!({"code": code}));
    let from_two = async {
        first.reached_by(1).await;
        two.login_with(json!({"code": code})).await
    };
    let wechat_answers = async {
        second.reached_by(1).await;
        second.open(); // the second node hears "used" while the first has no answer yet
        first.open();
    };

    let (from_one, from_two, ()) = tokio::join!(from_one, from_two, wechat_answers);

    assert_one_session(&[from_one, from_two]);
}

async fn a_used_code_is_used(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let code = app.code_for("alice");
    app.login_with(json!({"code": code})).await.ok();

    let again = app.login_with(json!({"code": code})).await;

    again.problem_with_retry(401, "wechat_code_used", "relogin");
    app.login_as_repeat(&code, "a-key-of-no-login").await.problem(401, "wechat_code_used");
    app.second_node().await.login_with(json!({"code": code})).await.problem(401, "wechat_code_used");
    assert_eq!(db.count("sessions"), 1);
}

async fn a_used_code_is_used_however_many_bring_it_at_once(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let code = app.code_for("alice");
    app.login_with(json!({"code": code})).await.ok();

    for node in [&app, &two, &app] {
        for answer in join_all((0..40).map(|_| node.login_with(json!({"code": code})))).await {
            answer.problem(401, "wechat_code_used");
        }
    }
    assert_eq!(db.count("sessions"), 1);
}

async fn a_used_code_is_used_after_a_restart_even_if_wechat_forgot_it(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db.clone(), &wechat).await;
    let code = new_code();
    wechat.answer(&code, Reply::user("oForgetful000000000000000000"));
    app.login_with(json!({"code": code})).await.ok();
    app.kill();

    let again = app.restart().await.login_with(json!({"code": code})).await;

    again.problem(401, "wechat_code_used");
    assert_eq!(db.count("sessions"), 1);
}

async fn the_same_idempotency_key_gets_the_same_session(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let code = app.code_for("alice");
    let first = Login::from(&app.login_as_repeat(&code, "attempt-1").await);

    let again = Login::from(&app.login_as_repeat(&code, "attempt-1").await);
    let elsewhere = Login::from(&app.second_node().await.login_as_repeat(&code, "attempt-1").await);

    for repeat in [&again, &elsewhere] {
        assert_eq!((repeat.sid(), repeat.user_id()), (first.sid(), first.user_id()));
        assert_eq!(repeat.user["created"], false);
        app.me(&repeat.access_token).await.ok();
    }
    assert_eq!(db.count("sessions"), 1);
    app.login_as_repeat(&code, "attempt-2").await.problem(401, "wechat_code_used");
    app.login_with(json!({"code": code})).await.problem(401, "wechat_code_used");
    let other_code = app.code_for("bob");
    let bob = Login::from(&app.login_as_repeat(&other_code, "attempt-1").await);
    assert_ne!(bob.user_id(), first.user_id(), "a key means nothing without its code");
}

async fn a_repeat_is_told_how_long_its_session_still_holds(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_TTL", "3").start().await;
    let code = app.code_for("alice");
    let first = app.login_as_repeat(&code, "attempt-1").await.ok();
    assert_eq!(first["refresh_expires_in"], 3);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = app.login_as_repeat(&code, "attempt-1").await.ok();
    assert!([1, 2].contains(&again["refresh_expires_in"].as_i64().unwrap()), "{again}");
    tokio::time::sleep(Duration::from_millis(2000)).await;

    app.login_as_repeat(&code, "attempt-1").await.problem(401, "wechat_code_used");
}

async fn the_replay_window_ends(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REPLAY_WINDOW", "1").start().await;
    let code = app.code_for("alice");
    app.login_as_repeat(&code, "attempt-1").await.ok();
    tokio::time::sleep(Duration::from_millis(1500)).await;

    app.login_as_repeat(&code, "attempt-1").await.problem(401, "wechat_code_used");
}

async fn the_replay_window_can_be_turned_off(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REPLAY_WINDOW", "0").start().await;
    let code = app.code_for("alice");
    app.login_as_repeat(&code, "attempt-1").await.ok();

    app.login_as_repeat(&code, "attempt-1").await.problem(401, "wechat_code_used");
}

fn login_request(code: &str, idempotency_key: Option<&str>) -> String {
    let body = json!({"code": code}).to_string();
    let key = idempotency_key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
    let length = body.len();
    let method = Method::POST;
    format!(
        "{method} /login HTTP/1.1\r\nhost: login.test\r\ncontent-type: application/json\r\n{key}\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Asserts that all succeeded with one user and one session, and that one of them created the user.
#[track_caller]
fn assert_one_session(answers: &[Answer]) {
    let logins: Vec<Login> = answers.iter().map(Login::from).collect();
    assert_eq!(distinct(&logins, Login::user_id), 1);
    assert_eq!(distinct(&logins, Login::sid), 1);
    assert_eq!(created(&logins), 1);
}

fn distinct<'a, T: Ord>(logins: &'a [Login], of: impl Fn(&'a Login) -> T) -> usize {
    logins.iter().map(of).collect::<BTreeSet<_>>().len()
}

fn created(logins: &[Login]) -> usize {
    logins.iter().filter(|login| login.user["created"] == true).count()
}

//! Whatever WeChat may answer to an exchange, valid or not, and what results from it. Each case has its own
//! mini-program, so that no case opens another's circuit.

use crate::harness::{Answer, Builder, Database, Login, Reply, ScriptedWeChat, TestApp, new_code, on_sqlite};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_sqlite!(
    every_error_of_wechats_has_its_answer,
    a_busy_wechat_is_asked_again,
    a_code_that_is_used_after_a_busy_answer_may_be_used_by_nobody,
    a_malformed_answer_is_a_clean_bad_gateway,
    a_broken_connection_is_a_clean_error,
    a_wechat_that_says_nothing_is_given_up_in_time,
    a_redirect_is_not_followed,
    a_wechat_that_is_not_there_is_unavailable,
    trouble_with_wechat_leaves_sessions_alone,
    one_apps_trouble_is_not_anothers,
    a_wechat_that_never_answers_is_asked_now_and_then_and_for_that_app_alone,
);

/// WeChat gets 5 seconds; the rest is for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(9);

/// No response and no log line may contain this piece of an upstream body.
const MARK: &str = "words-of-the-upstream-body";

async fn every_error_of_wechats_has_its_answer(db: Database) {
    let misconfigured = "wechat_misconfigured";
    let mut cases = vec![
        (40029, 401, "wechat_code_invalid", "relogin"),
        (40163, 401, "wechat_code_used", "relogin"),
        (40226, 403, "wechat_user_blocked", "none"),
        (50002, 403, "wechat_user_blocked", "none"),
        (44991, 429, "wechat_rate_limited", "later"),
        (45009, 429, "wechat_rate_limited", "later"),
        (45011, 429, "wechat_rate_limited", "later"),
        (-1, 503, "wechat_unavailable", "later"),
    ];
    for errcode in [40002, 40013, 40090, 40125, 40164, 40243, 41002, 41004, 43003, 48001, 50004, 50007] {
        cases.push((errcode, 502, misconfigured, "none"));
    }
    let (wechat, app) = a_mini_program_for_each(&cases, db).await;
    for (mini_program, (errcode, status, code, retry)) in app.apps().iter().zip(cases) {
        let answer = login(&app, &wechat, &mini_program.appid, Reply::errcode(errcode)).await;
        let problem = answer.problem(status, code);
        assert_eq!(problem["retry"], retry, "errcode {errcode}: {problem}");
    }
}

async fn a_busy_wechat_is_asked_again(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(2).wechat(&wechat).start().await;
    let busy = || Reply::errcode(-1);

    let code = new_code();
    wechat.answer(&code, Reply::InTurn(vec![busy(), Reply::user("oAfterOneBusyAnswer000000000")]));
    let answer = app.login_with(json!({"code": code, "appid": app.apps()[0].appid})).await;
    Login::from(&answer);
    assert_eq!(wechat.calls(&code), 2);

    let code = new_code();
    wechat.answer(&code, busy());
    let answer = app.login_with(json!({"code": code, "appid": app.apps()[1].appid})).await;
    answer.problem_with_retry(503, "wechat_unavailable", "later");
    let calls = wechat.calls(&code);
    assert!((2..=3).contains(&calls), "one or two retries, not {calls} calls");
    let [first, second] = [0, 1].map(|number| format!("{0} (shop {0})", app.apps()[number].appid));
    app.wait_for_line(&format!("mini-programs served: {first}, {second}"));
    app.wait_for_line(&format!("WeChat refused a login of {second}: -1"));
}

async fn a_code_that_is_used_after_a_busy_answer_may_be_used_by_nobody(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let code = new_code();
    wechat.answer(&code, Reply::InTurn(vec![Reply::errcode(-1), Reply::errcode(40163)]));

    let answer = app.login_with(json!({"code": code})).await;

    answer.problem_with_retry(503, "wechat_unavailable", "later");
    app.login_with(json!({"code": code})).await.problem_with_retry(401, "wechat_code_used", "relogin");
    assert_eq!(wechat.calls(&code), 2, "what is used is not asked for again");
}

async fn a_malformed_answer_is_a_clean_bad_gateway(db: Database) {
    let ok = |body: &str| Reply::http("200 OK", "text/plain", body);
    let openid = r#""openid":"oMalformed000000000000000000""#;
    let nested = "[".repeat(30_000);
    let huge = format!(r#"{{"errmsg":"{}",{openid},"session_key":"k"}}"#, "x".repeat(1 << 20));
    let cases = vec![
        ("an HTML page", Reply::http("200 OK", "text/html", &format!("<html>{MARK}</html>"))),
        ("truncated JSON", ok(&format!(r#"{{{openid},"x":"{MARK}","session_k"#))),
        ("nothing", ok("")),
        ("an array", ok("[]")),
        ("null", ok("null")),
        ("a number", ok("42")),
        ("an empty object", ok("{}")),
        ("no session key", ok(&format!(r#"{{{openid},"x":"{MARK}"}}"#))),
        ("no openid", ok(&format!(r#"{{"session_key":"{MARK}"}}"#))),
        ("an empty openid", ok(r#"{"openid":"","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#)),
        ("an openid that is a number", ok(r#"{"openid":7200,"session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#)),
        ("a session key that is null", ok(&format!(r#"{{{openid},"session_key":null}}"#))),
        ("an errcode that is an object", ok(r#"{"errcode":{"a":1}}"#)),
        ("an errcode beyond all bounds", ok(r#"{"errcode":1e99,"errmsg":"x"}"#)),
        ("an errcode nobody knows", ok(r#"{"errcode":99999999,"errmsg":"x"}"#)),
        ("bytes that are no UTF-8", Reply::Bytes(not_utf8())),
        ("brackets without end", ok(&nested)),
        ("more than we read", ok(&huge)),
        ("a body without end", Reply::Endless),
        ("status 500", Reply::http("500 Internal Server Error", "text/html", MARK)),
        ("status 502 of a gateway", Reply::http("502 Bad Gateway", "text/html", MARK)),
        ("status 404", Reply::http("404 Not Found", "text/plain", MARK)),
        ("status 204", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
    ];
    let (wechat, app) = a_mini_program_for_each(&cases, db).await;
    app.keep_secret(MARK);
    for (mini_program, (what, reply)) in app.apps().iter().zip(cases) {
        let answer = login(&app, &wechat, &mini_program.appid, reply).await;
        assert_eq!(answer.status, 502, "{what}: {answer:?}");
        let problem = answer.problem(502, "wechat_bad_response");
        assert_ne!(problem["retry"], "relogin", "{what}: a new code would not help");
    }
}

async fn a_broken_connection_is_a_clean_error(db: Database) {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"openid\":".to_vec();
    let cases = vec![
        ("closed without a word", Reply::Close),
        ("reset", Reply::Reset),
        ("closed within the body", Reply::Bytes(short)),
        ("closed within the head", Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())),
        ("another protocol", Reply::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        (
            "a head without end",
            Reply::Bytes([b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'x'; 1 << 20]].concat()),
        ),
    ];
    let (wechat, app) = a_mini_program_for_each(&cases, db).await;
    for (mini_program, (what, reply)) in app.apps().iter().zip(cases) {
        let answer = login(&app, &wechat, &mini_program.appid, reply).await;
        let code = match answer.status.as_u16() {
            502 => "wechat_bad_response",
            503 => "wechat_unavailable",
            _ => panic!("{what}: {answer:?}"),
        };
        answer.problem(answer.status.as_u16(), code);
    }
}

async fn a_wechat_that_says_nothing_is_given_up_in_time(db: Database) {
    let cases = [Reply::Silence, Reply::Drip];
    let (wechat, app) = a_mini_program_for_each(&cases, db).await;
    let waiting = app.apps().iter().zip(cases).map(|(mini_program, reply)| {
        let (app, wechat) = (&app, &wechat);
        async move { login(app, wechat, &mini_program.appid, reply).await }
    });
    for answer in futures_util::future::join_all(waiting).await {
        answer.problem_with_retry(504, "wechat_timeout", "later");
    }
}

async fn a_redirect_is_not_followed(db: Database) {
    let (here, elsewhere) = (ScriptedWeChat::start().await, ScriptedWeChat::start().await);
    let app = TestApp::with_wechat(db, &here).await;
    let code = new_code();
    let location = format!("{}/sns/jscode2session?js_code={code}", elsewhere.url());
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    here.answer(&code, Reply::Bytes(redirect.into_bytes()));

    app.login_with(json!({"code": code})).await.problem(502, "wechat_bad_response");

    assert_eq!((here.calls(&code), elsewhere.calls(&code)), (1, 0));
}

async fn a_wechat_that_is_not_there_is_unavailable(db: Database) {
    // A port that was just free: nobody listens on it any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wechat = ScriptedWeChat::start().await;
    let url = format!("http://{free}");
    let app = Builder::new(db).wechat(&wechat).set("WECHAT_API_BASE", &url).start().await;
    for _ in 0..20 {
        let answer = app.login_with(json!({"code": new_code()})).await;
        answer.problem_with_retry(503, "wechat_unavailable", "later");
    }
}

async fn trouble_with_wechat_leaves_sessions_alone(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let login = Login::from(&app.login_with(json!({"code": new_code()})).await);
    for _ in 0..20 {
        let code = new_code();
        wechat.answer(&code, Reply::http("502 Bad Gateway", "text/html", "no"));
        let answer = app.login_with(json!({"code": code})).await;
        assert!(answer.status.is_server_error(), "{answer:?}");

        app.me(&login.access_token).await.ok();
    }
    assert_eq!(app.get("/readyz").await.status, 200, "WeChat's trouble is not ours");
}

async fn one_apps_trouble_is_not_anothers(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(2).wechat(&wechat).start().await;
    for _ in 0..20 {
        let answer =
            login_json(&app, &wechat, 0, json!({"errcode": 40125, "errmsg": "invalid appsecret"})).await;
        assert!(answer.status.is_server_error(), "{answer:?}");

        let well =
            json!({"openid": "oOfTheOtherMiniProgram000000", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="});
        login_json(&app, &wechat, 1, well).await.ok();
    }
    let code = new_code();
    let refused = app.login_with(json!({"code": code, "appid": app.apps()[0].appid})).await;
    refused.problem(502, "wechat_misconfigured");
    assert_eq!(wechat.calls(&code), 0, "who goes on with a wrong secret is locked out");
}

async fn a_wechat_that_never_answers_is_asked_now_and_then_and_for_that_app_alone(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(2).wechat(&wechat).start().await;
    let appid = |index: usize| app.apps()[index].appid.clone();
    for _ in 0..50 {
        login(&app, &wechat, &appid(0), Reply::Close).await.problem(503, "wechat_unavailable");
    }

    let code = new_code();
    let refused = app.login_with(json!({"code": code, "appid": appid(0)})).await;
    refused.problem_with_retry(503, "wechat_unavailable", "later");
    assert_eq!(wechat.calls(&code), 0, "the circuit is open");
    login(&app, &wechat, &appid(1), Reply::user("oOfTheOtherMiniProgram000000")).await.ok();

    tokio::time::sleep(Duration::from_millis(2100)).await;
    login(&app, &wechat, &appid(0), Reply::user("oBackAgain000000000000000000")).await.ok();
    login(&app, &wechat, &appid(0), Reply::user("oBackAgain000000000000000000")).await.ok();
}

async fn login_json(app: &TestApp, wechat: &ScriptedWeChat, index: usize, reply: Value) -> Answer {
    login(app, wechat, &app.apps()[index].appid, Reply::Json(reply)).await
}

/// One login whose exchange gets this reply. Whatever it is, the login is answered in time.
async fn login(app: &TestApp, wechat: &ScriptedWeChat, appid: &str, reply: Reply) -> Answer {
    let code = new_code();
    wechat.answer(&code, reply);
    let began = Instant::now();
    let answer = app.login_with(json!({"code": code, "appid": appid})).await;
    assert!(began.elapsed() < DEADLINE, "the answer took {:?}: {answer:?}", began.elapsed());
    answer
}

async fn a_mini_program_for_each<T>(cases: &[T], db: Database) -> (ScriptedWeChat, TestApp) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(cases.len()).wechat(&wechat).start().await;
    (wechat, app)
}

fn not_utf8() -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n".to_vec();
    answer.extend_from_slice(b"{\"a\":\"\xff\xfe");
    answer
}

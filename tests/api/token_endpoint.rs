//! `POST /token`: the logins and refreshes of the mini-program's own calls, for standard OAuth clients.

use crate::harness::{Answer, Builder, Database, Login, Reply, ScriptedWeChat, TestApp, new_code, on_both};
use crate::harness::{appid, on_sqlite};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

on_both!(
    a_code_and_a_refresh_token_give_what_rfc_6749_asks_for,
    the_two_faces_take_each_others_refresh_tokens,
    refreshes_at_once_through_both_faces_get_one_successor,
    one_code_through_both_faces_is_one_session,
    a_repeated_login_is_answered_again_only_with_its_key,
    a_refresh_token_is_good_for_its_own_mini_program_alone,
    a_refused_scope_costs_no_token,
    a_reused_refresh_token_ends_the_session_here_too,
    a_banned_user_gets_no_tokens,
);
on_sqlite!(
    what_is_wrong_with_a_request_is_named,
    a_login_names_its_mini_program_where_there_are_several,
    a_client_may_send_its_id_as_basic_without_a_password,
    a_client_that_shows_a_secret_is_refused,
    what_wechat_answers_keeps_its_status,
    errors_speak_ascii_to_standard_clients_and_chinese_to_people,
);

const FORM: &str = "application/x-www-form-urlencoded";
const WECHAT_CODE: &str = "urn:weauth:params:oauth:grant-type:wechat-code";
const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n";

async fn token(app: &TestApp, parameters: &[(&str, &str)]) -> Answer {
    app.post("/token", FORM, &form(parameters)).await
}

fn form(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

async fn with_code(app: &TestApp, code: &str) -> Answer {
    token(app, &[("grant_type", WECHAT_CODE), ("code", code)]).await
}

async fn refresh(app: &TestApp, refresh_token: &str) -> Answer {
    token(app, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

async fn refresh_as_mini_program(app: &TestApp, refresh_token: &str) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": refresh_token})).await
}

async fn a_code_and_a_refresh_token_give_what_rfc_6749_asks_for(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let appid = app.app().appid.clone();
    let code = app.code_for("alice");

    let answer =
        token(&app, &[("grant_type", WECHAT_CODE), ("code", &code), ("client_id", &appid), ("foo", "bar")])
            .await;

    let body = answer.ok();
    assert_eq!((answer.header("cache-control"), &body["token_type"]), ("no-store", &json!("Bearer")));
    assert_eq!((&body["expires_in"], &body["refresh_expires_in"]), (&json!(7200), &json!(2_592_000)));
    assert_eq!((&body["scope"], &body["user"]["created"]), (&json!(""), &json!(true)));
    let login = Login::from(&answer);
    assert_eq!(login.claims()["client_id"], appid.as_str());
    assert_eq!(app.me(&login.access_token).await.ok()["id"], login.user_id());

    db.grant(login.user_id(), "editor");
    let answer = refresh(&app, &login.refresh_token).await;

    let body = answer.ok();
    assert_eq!(body["scope"], "notes:read notes:write");
    let refreshed = Login::from(&answer);
    assert_eq!((refreshed.sid(), &refreshed.claims()["scope"]), (login.sid(), &body["scope"]));
    assert_ne!(refreshed.refresh_token, login.refresh_token);
}

async fn the_two_faces_take_each_others_refresh_tokens(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    let mut last = login.refresh_token.clone();
    for _ in 0..3 {
        let here = Login::from(&refresh(&app, &last).await);
        let there = Login::from(&refresh_as_mini_program(&app, &here.refresh_token).await);
        assert_eq!((here.sid(), there.sid()), (login.sid(), login.sid()));
        last = there.refresh_token;
    }
    let other = Login::from(&with_code(&app, &app.code_for("alice")).await);
    Login::from(&refresh_as_mini_program(&app, &other.refresh_token).await);
    assert_eq!((other.user_id(), db.count("sessions")), (login.user_id(), 2));
}

async fn refreshes_at_once_through_both_faces_get_one_successor(db: Database) {
    let one = TestApp::on(db).await;
    let two = one.second_node().await;
    let mut last = one.login("alice").await.refresh_token;
    for _ in 0..3 {
        let here = join_all((0..15).map(|n| refresh([&one, &two][n % 2], &last)));
        let there = join_all((0..15).map(|n| refresh_as_mini_program([&one, &two][n % 2], &last)));
        let (here, there) = tokio::join!(here, there);
        let successors: BTreeSet<String> =
            here.iter().chain(&there).map(|answer| Login::from(answer).refresh_token).collect();
        assert_eq!(successors.len(), 1);
        last = successors.into_iter().next().unwrap();
    }
}

async fn one_code_through_both_faces_is_one_session(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let code = app.code_for("alice");

    let here = join_all((0..10).map(|_| with_code(&app, &code)));
    let there = join_all((0..10).map(|_| app.login_with(json!({"code": code}))));
    let (here, there) = tokio::join!(here, there);

    let sessions: BTreeSet<String> =
        here.iter().chain(&there).map(|answer| Login::from(answer).sid()).collect();
    assert_eq!((sessions.len(), db.count("sessions"), db.count("users")), (1, 1, 1));
    with_code(&app, &code).await.oauth_error(400, "invalid_grant", "wechat_code_used");
}

async fn a_repeated_login_is_answered_again_only_with_its_key(db: Database) {
    let app = TestApp::on(db).await;
    let code = app.code_for("alice");
    let with_key = |key: &'static str| {
        let body = form(&[("grant_type", WECHAT_CODE), ("code", &code)]);
        let request = app.request(Method::POST, "/token").header("Content-Type", FORM);
        app.send(request.header("Idempotency-Key", key).body(body))
    };

    let first = Login::from(&with_key("one-login").await);

    assert_eq!(Login::from(&with_key("one-login").await).sid(), first.sid());
    assert_eq!(Login::from(&app.login_as_repeat(&code, "one-login").await).sid(), first.sid());
    with_key("another-login").await.oauth_error(400, "invalid_grant", "wechat_code_used");
    with_key("").await.oauth_error(400, "invalid_request", "invalid_request");
}

async fn a_refresh_token_is_good_for_its_own_mini_program_alone(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "0").apps(2).start().await;
    let [own, other] = app.apps() else { panic!("two mini-programs") };
    let login =
        Login::from(&app.login_with(json!({"code": app.code_for("alice"), "appid": own.appid})).await);
    let as_client = |refresh_token: String, client: String| {
        let parameters = ["refresh_token", &refresh_token, &client];
        let body = form(
            &["grant_type", "refresh_token", "client_id"].into_iter().zip(parameters).collect::<Vec<_>>(),
        );
        async { app.post("/token", FORM, &{ body }).await }
    };

    for stranger in [other.appid.clone(), appid(), "wx".to_owned(), own.appid.to_uppercase()] {
        let answer = as_client(login.refresh_token.clone(), stranger).await;
        answer.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    }

    // None of that has turned the token, or ended the session; not even with a token that was replaced.
    let second = Login::from(&as_client(login.refresh_token.clone(), own.appid.clone()).await);
    let stranger = as_client(login.refresh_token.clone(), other.appid.clone()).await;
    stranger.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    Login::from(&as_client(second.refresh_token, own.appid.clone()).await);
}

async fn a_refused_scope_costs_no_token(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_REFRESH_GRACE", "0").file(ROLES).start().await;
    let id = app.login("alice").await.user_id().to_owned();
    db.grant(&id, "editor");
    let login = app.login("alice").await;
    let with_scope = |scope: &'static str| {
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", login.refresh_token.as_str()),
            ("scope", scope),
        ];
        let body = form(&parameters);
        async { app.post("/token", FORM, &{ body }).await }
    };

    for too_much in ["notes:delete", "notes:read notes:delete", "NOTES:READ", "notes:read,notes:write", "日"]
    {
        with_scope(too_much).await.oauth_error(400, "invalid_scope", "invalid_request");
    }

    let body = with_scope("notes:read").await.ok();
    assert_eq!(body["scope"], "notes:read notes:write", "it says what it carries, which is not less");
}

async fn a_reused_refresh_token_ends_the_session_here_too(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_REFRESH_GRACE", "0").start().await;
    let login = app.login("alice").await;
    let second = Login::from(&refresh(&app, &login.refresh_token).await);

    refresh(&app, &login.refresh_token).await.oauth_error(400, "invalid_grant", "refresh_token_reused");

    refresh(&app, &second.refresh_token).await.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    app.me(&second.access_token).await.problem(401, "token_revoked");
    assert_eq!(db.count("sessions"), 0);
}

async fn a_banned_user_gets_no_tokens(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    db.execute("UPDATE users SET status = 'banned'");

    with_code(&app, &app.code_for("alice")).await.oauth_error(400, "invalid_grant", "user_banned");
    refresh(&app, &login.refresh_token).await.oauth_error(400, "invalid_grant", "user_banned");
}

async fn what_is_wrong_with_a_request_is_named(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    let refresh_token = login.refresh_token.as_str();
    let invalid = "invalid_request";
    for (parameters, error, named) in [
        (vec![], invalid, "grant_type"),
        (vec![("grant_type", ""), ("refresh_token", refresh_token)], invalid, "grant_type"),
        (vec![("grant_type", "password")], "unsupported_grant_type", "grant_type"),
        (vec![("grant_type", "authorization_code"), ("code", "x")], "unsupported_grant_type", "grant_type"),
        (vec![("grant_type", "REFRESH_TOKEN")], "unsupported_grant_type", "grant_type"),
        (vec![("grant_type", "refresh_token")], invalid, "refresh_token"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "")], invalid, "refresh_token"),
        (vec![("grant_type", WECHAT_CODE)], invalid, "code"),
        (vec![("grant_type", WECHAT_CODE), ("code", "")], invalid, "code"),
        (vec![("grant_type", WECHAT_CODE), ("code", "a b")], invalid, "code"),
    ] {
        let body = token(&app, &parameters).await.oauth_error(400, error, "invalid_request");
        assert_eq!(body["errors"][0]["field"], named, "{parameters:?}: {body}");
    }
    for twice in [
        [("grant_type", "refresh_token"), ("grant_type", "refresh_token")],
        [("x", "1"), ("x", "1")],
        [(refresh_token, "1"), (refresh_token, "2")],
    ] {
        let body = token(&app, &twice).await.oauth_error(400, invalid, "invalid_request");
        assert!(body["detail"].as_str().unwrap().ends_with("twice"), "{body}");
    }
    refresh(&app, "x.y.1.z").await.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    refresh(&app, &login.access_token).await.oauth_error(400, "invalid_grant", "refresh_token_invalid");

    let json = json!({"grant_type": "refresh_token", "refresh_token": refresh_token});
    app.post_json("/token", json).await.oauth_error(400, invalid, "unsupported_media_type");
    let untyped = app.request(Method::POST, "/token").body("grant_type=refresh_token");
    app.send(untyped).await.oauth_error(400, invalid, "unsupported_media_type");
    app.post("/token", FORM, "%FF=%FE").await.oauth_error(400, invalid, "invalid_request");
    app.post("/token", FORM, &"x".repeat(70_000)).await.oauth_error(413, invalid, "payload_too_large");
    app.get("/token").await.problem(405, "method_not_allowed");
    // In a form an empty parameter is absent, so it comes twice in vain.
    let twice = format!(
        "grant_type=&{}&scope=&scope=",
        form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    );
    app.post("/token", FORM, &twice).await.ok();
}

async fn a_login_names_its_mini_program_where_there_are_several(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let code = app.code_for("alice");
    let as_client = |client: String| {
        let body = form(&[("grant_type", WECHAT_CODE), ("code", &code), ("client_id", &client)]);
        async { app.post("/token", FORM, &{ body }).await }
    };

    let nobody = with_code(&app, &code).await.oauth_error(400, "invalid_request", "invalid_request");
    assert_eq!(nobody["errors"][0]["field"], "client_id");
    as_client(appid()).await.oauth_error(401, "invalid_client", "unknown_app");

    // The code is not spent.
    let login = Login::from(&as_client(app.apps()[1].appid.clone()).await);
    assert_eq!(login.claims()["aud"], app.apps()[1].appid.as_str());
}

async fn a_client_may_send_its_id_as_basic_without_a_password(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let [one, two] = app.apps() else { panic!("two mini-programs") };
    let login = |header: String, client: Option<&str>| {
        let code = app.code_for("alice");
        let mut parameters = vec![("grant_type", WECHAT_CODE), ("code", &code)];
        parameters.extend(client.map(|client| ("client_id", client)));
        let request = app.request(Method::POST, "/token").header("Content-Type", FORM);
        app.send(request.header("Authorization", header).body(form(&parameters)))
    };
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));

    let answer = login(basic(format!("{}:", two.appid)), None).await;
    assert_eq!(Login::from(&answer).claims()["aud"], two.appid.as_str());
    let answer = login(basic(format!("{}:", two.appid)), Some(&two.appid)).await;
    assert_eq!(Login::from(&answer).claims()["aud"], two.appid.as_str());

    login(basic(format!("{}:", two.appid)), Some(&one.appid)).await.oauth_error(
        400,
        "invalid_request",
        "invalid_request",
    );
    login(basic(format!("{}:", appid())), None).await.oauth_error(401, "invalid_client", "unknown_app");
    for malformed in ["Basic ?", "basic", "Basic d3g="] {
        let answer = login(malformed.to_owned(), Some(&one.appid)).await;
        if malformed == "basic" {
            answer.ok(); // no credentials at all: as good as no header
        } else {
            answer.oauth_error(401, "invalid_client", "invalid_request");
        }
    }
    // A token in the header is nobody's concern here.
    login("Bearer x.y.z".to_owned(), Some(&one.appid)).await.ok();
}

async fn a_client_that_shows_a_secret_is_refused(db: Database) {
    let app = TestApp::on(db).await;
    let (appid, secret) = (app.app().appid.clone(), app.app().secret.clone());
    let refresh_token = app.login("alice").await.refresh_token;
    let parameters =
        [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("client_id", &appid)];

    let posted = [parameters.as_slice(), &[("client_secret", &secret)]].concat();
    token(&app, &posted).await.oauth_error(401, "invalid_client", "invalid_request");
    let request = app.request(Method::POST, "/token").basic_auth(&appid, Some(&secret));
    let request = request.header("Content-Type", FORM).body(form(&parameters));
    app.send(request).await.oauth_error(401, "invalid_client", "invalid_request");

    token(&app, &parameters).await.ok();
}

async fn what_wechat_answers_keeps_its_status(db: Database) {
    let cases = [
        (Reply::errcode(40029), 400, "invalid_grant", "wechat_code_invalid"),
        (Reply::errcode(40163), 400, "invalid_grant", "wechat_code_used"),
        (Reply::errcode(40226), 400, "invalid_grant", "wechat_user_blocked"),
        (Reply::errcode(45011), 429, "temporarily_unavailable", "wechat_rate_limited"),
        (Reply::errcode(-1), 503, "temporarily_unavailable", "wechat_unavailable"),
        (Reply::errcode(40125), 502, "server_error", "wechat_misconfigured"),
    ];
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(cases.len()).wechat(&wechat).start().await;
    for (mini_program, (reply, status, error, ours)) in app.apps().iter().zip(cases) {
        let code = new_code();
        wechat.answer(&code, reply);
        let parameters = [
            ("grant_type", WECHAT_CODE),
            ("code", code.as_str()),
            ("client_id", mini_program.appid.as_str()),
        ];
        token(&app, &parameters).await.oauth_error(status, error, ours);
    }
    let mock = with_mock_code(&app).await.oauth_error(400, "invalid_grant", "wechat_code_invalid");
    assert!(mock["error_description"].as_str().unwrap().contains("mock"), "{mock}");
}

async fn with_mock_code(app: &TestApp) -> Answer {
    let appid = &app.app().appid;
    token(app, &[("grant_type", WECHAT_CODE), ("code", "the code is a mock one"), ("client_id", appid)]).await
}

async fn errors_speak_ascii_to_standard_clients_and_chinese_to_people(db: Database) {
    let app = TestApp::on(db).await;
    let request = app.request(Method::POST, "/token").header("Content-Type", FORM);
    let request = request.header("Accept-Language", "zh-CN").header("X-Request-Id", "the-id-of-mine");
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);

    let answer = app.send(request.body(body)).await;

    let body = answer.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    assert_eq!((&body["title"], &body["request_id"]), (&json!("刷新令牌无效"), &json!("the-id-of-mine")));
    assert!(body["error_description"].as_str().unwrap().starts_with("The refresh token"));
}

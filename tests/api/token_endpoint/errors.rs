//! Every error of RFC 6749 5.2, and those that are not the client's fault.

use super::{FORM, WECHAT_CODE, form, refresh, token, with_code};
use crate::harness::{
    Answer, Builder, Database, Login, Reply, ScriptedWeChat, TestApp, new_code, on_both, on_sqlite,
};
use reqwest::Method;
use serde_json::json;

on_both!(a_reused_refresh_token_ends_the_session_here_too, a_banned_user_gets_no_tokens);
on_sqlite!(
    what_is_wrong_with_a_request_is_named,
    a_parameter_in_the_query_is_named_to_an_oauth_client,
    a_client_that_shows_a_secret_is_refused,
    what_wechat_answers_keeps_its_status,
    errors_speak_ascii_to_standard_clients_and_chinese_to_people,
);

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

async fn a_parameter_in_the_query_is_named_to_an_oauth_client(db: Database) {
    let app = TestApp::on(db).await;
    let token = app.post("/token?x=1", FORM, "").await;
    let token = token.oauth_error(400, "invalid_request", "invalid_request");
    let mut problems = vec![token];
    for path in ["/token/introspect?x=1", "/token/revoke?x=1"] {
        problems.push(app.post(path, FORM, "").await.problem(400, "invalid_request"));
    }
    for problem in problems {
        assert_eq!(
            (&problem["error"], &problem["errors"][0]["field"]),
            (&json!("invalid_request"), &json!("x"))
        );
    }
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
        assert!(body["detail"].as_str().unwrap().ends_with("given more than once"), "{body}");
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
    // An empty parameter counts as absent, so repeating it is no error.
    let twice = format!(
        "grant_type=&{}&scope=&scope=",
        form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    );
    app.post("/token", FORM, &twice).await.ok();
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

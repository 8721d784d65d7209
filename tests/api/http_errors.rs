//! Malformed requests, and what every response has in common.

use crate::harness::{Database, ScriptedWeChat, TestApp, new_code, on_sqlite};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

on_sqlite!(
    an_unknown_route_is_not_found,
    a_wrong_method_names_the_right_ones,
    a_parameter_that_means_nothing_is_named_and_not_passed_over,
    another_media_type_is_unsupported,
    a_media_type_may_carry_parameters,
    malformed_json_is_an_invalid_request,
    a_field_of_a_wrong_type_is_named,
    a_malformed_form_is_an_invalid_request,
    a_well_formed_request_id_is_kept,
    any_other_request_id_is_made_anew,
    a_401_challenges_as_rfc_6750_wants,
);

async fn an_unknown_route_is_not_found(db: Database) {
    let app = TestApp::on(db).await;
    for path in ["/", "/nothing", "/login/", "/me/nothing", "/%00", "/login%2F..%2Fme", "/a/../../etc/passwd"]
    {
        app.get(path).await.problem_with_retry(404, "not_found", "none");
    }
    app.post_json("/nothing", json!({})).await.problem(404, "not_found");
}

async fn a_parameter_that_means_nothing_is_named_and_not_passed_over(db: Database) {
    let app = TestApp::on(db).await;
    let (one, other) = (app.login("alice").await, app.login("alice").await);
    for (method, path, named) in [
        (Method::POST, "/login?x=1", "x"),
        (Method::GET, "/me?fields=id", "fields"),
        (Method::GET, "/me/sessions?limit=1", "limit"),
        (Method::GET, "/.well-known/jwks.json?v=2", "v"),
        (Method::POST, "/logout?everywhere=true", "everywhere"),
    ] {
        let request = app.request(method, path).bearer_auth(&one.access_token);
        let problem = app.send(request).await.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], named, "{path}");
    }
    let secret = app.get(&format!("/me?{}=1", one.refresh_token)).await;
    assert!(!secret.problem(400, "invalid_request").to_string().contains(&one.refresh_token));
    for login in [&one, &other] {
        app.me(&login.access_token).await.ok();
    }
    app.get("/healthz?from=balancer").await.ok();
}

async fn a_wrong_method_names_the_right_ones(db: Database) {
    let app = TestApp::on(db).await;
    for (method, path, allowed) in [
        (Method::GET, "/login", "POST"),
        (Method::GET, "/login?code=1", "POST"),
        (Method::GET, "/token/revoke?token=1", "POST"),
        (Method::PUT, "/me?fields=id", "GET"),
        (Method::PUT, "/login", "POST"),
        (Method::DELETE, "/login", "POST"),
        (Method::PUT, "/me", "GET"),
        (Method::POST, "/healthz", "GET"),
        (Method::POST, "/readyz", "GET"),
        (Method::DELETE, "/.well-known/jwks.json", "GET"),
    ] {
        let answer = app.send(app.request(method.clone(), path)).await;
        answer.problem(405, "method_not_allowed");
        let allow = answer.header("allow");
        assert!(allow.split(',').any(|a| a.trim() == allowed), "Allow of {method} {path}: {allow:?}");
    }
}

async fn another_media_type_is_unsupported(db: Database) {
    let app = TestApp::on(db).await;
    let body = json!({"code": new_code()}).to_string();
    for other in
        ["text/plain", "application/xml", "application/jsonp", "multipart/form-data; boundary=x", "?"]
    {
        app.post("/login", other, &body).await.problem(415, "unsupported_media_type");
    }
    let untyped = app.request(Method::POST, "/login").body(body);
    app.send(untyped).await.problem(415, "unsupported_media_type");
}

async fn a_media_type_may_carry_parameters(db: Database) {
    let app = TestApp::on(db).await;
    for content_type in ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        let body = json!({"code": app.code_for("alice")}).to_string();
        app.post("/login", content_type, &body).await.ok();
    }
    let form = format!("code={}", app.code_for("alice"));
    app.post("/login", "application/x-www-form-urlencoded; charset=UTF-8", &form).await.ok();
}

async fn malformed_json_is_an_invalid_request(db: Database) {
    let app = TestApp::on(db).await;
    let deep = format!(r#"{{"code":{}"#, "[".repeat(30_000));
    let well = json!({"code": new_code()}).to_string();
    for wrong in
        ["", "{", "[]", "null", "\"code\"", "{\"code\":\"a\"", "{code:1}", "{}{}", &deep, &(well + "x")]
    {
        let answer = app.post("/login", "application/json", wrong).await;
        answer.problem_with_retry(400, "invalid_request", "none");
    }
    let not_utf8 = app.request(Method::POST, "/login").header("Content-Type", "application/json");
    app.send(not_utf8.body(b"{\"code\":\"\xff\xfe\"}".to_vec())).await.problem(400, "invalid_request");
}

async fn a_field_of_a_wrong_type_is_named(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let code = new_code();
    for (body, field) in [
        (json!({}), "code"),
        (json!({"code": null}), "code"),
        (json!({"code": 40029}), "code"),
        (json!({"code": true}), "code"),
        (json!({"code": [code]}), "code"),
        (json!({"code": {"code": code}}), "code"),
        (json!({"code": code, "appid": 1}), "appid"),
        (json!({"code": code, "appid": ["wx0123456789abcdef"]}), "appid"),
    ] {
        let problem = app.login_with(body.clone()).await.problem(400, "invalid_request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{body} gives {detail:?}");
    }
    assert_eq!(wechat.calls(&code), 0);
}

async fn a_malformed_form_is_an_invalid_request(db: Database) {
    let app = TestApp::on(db).await;
    for wrong in ["", "code", "code=", "appid=wx0123456789abcdef", "code=%FF%FE", "code=a+b", "=", "&&&"] {
        let answer = app.post("/login", "application/x-www-form-urlencoded", wrong).await;
        answer.problem(400, "invalid_request");
    }
}

async fn a_well_formed_request_id_is_kept(db: Database) {
    let app = TestApp::on(db).await;
    for id in ["12345678", "a.b_c-D.9", &"x".repeat(128)] {
        for path in ["/me", "/healthz", "/nothing"] {
            let request = app.request(Method::GET, path).header("X-Request-Id", id);
            assert_eq!(app.send(request).await.header("x-request-id"), id, "{path}");
        }
    }
}

async fn any_other_request_id_is_made_anew(db: Database) {
    let app = TestApp::on(db).await;
    let mut ids = BTreeSet::new();
    let malformed = ["", "1234567", &"x".repeat(129), "two words", "semi;colon", "12345678/", "{12345678}"];
    for id in malformed {
        let request = app.request(Method::GET, "/me").header("X-Request-Id", id);
        let answer = app.send(request).await;
        answer.problem(401, "token_missing");
        assert_ne!(answer.header("x-request-id"), id);
        ids.insert(answer.header("x-request-id").to_owned());
    }
    assert_eq!(ids.len(), malformed.len(), "each request has an id of its own");
}

async fn a_401_challenges_as_rfc_6750_wants(db: Database) {
    let app = TestApp::on(db).await;

    let missing = app.get("/me").await;
    missing.problem(401, "token_missing");
    let challenge = missing.header("www-authenticate");
    assert!(!challenge.contains("error="), "without a token there is nothing to blame: {challenge}");

    let invalid = app.me("not.a.token").await;
    invalid.problem(401, "token_invalid");
    let challenge = invalid.header("www-authenticate");
    assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
}

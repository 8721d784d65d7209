//! Malformed requests, and what every response has in common.

use crate::harness::{Answer, Builder, Database, ScriptedWeChat, TestApp, new_code, on_sqlite};
use reqwest::{Method, RequestBuilder};
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
    problems_speak_the_readers_language,
    what_is_wrong_with_a_field_is_told_in_the_readers_language,
    a_mini_program_that_is_not_named_is_asked_for_in_the_readers_language,
    what_became_of_a_phone_code_is_told_in_the_readers_language,
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

async fn problems_speak_the_readers_language(db: Database) {
    let app = TestApp::on(db).await;
    for chinese in
        ["zh-CN", "zh", "ZH-hans-CN", "zh-TW,en;q=0.5", "en;q=0.3, zh;q=0.9", "fr, zh;q=0.8, en;q=0.7"]
    {
        let problem = problem_in(&app, chinese).await.problem(401, "token_missing");
        for field in ["title", "detail"] {
            let text = problem[field].as_str().unwrap();
            assert!(text.chars().any(is_chinese), "{chinese}: {text}");
        }
    }
    for english in ["en", "en-GB,zh;q=0.5", "fr", "*", "", ";;;q=,", "zh;q=0", "zh;q=0.2,en;q=0.8"] {
        let problem = problem_in(&app, english).await.problem(401, "token_missing");
        let text = format!("{}{}", problem["title"], problem["detail"]);
        assert!(!text.chars().any(is_chinese), "{english}: {text}");
    }
    let unasked = app.get("/me").await.problem(401, "token_missing");
    assert!(!unasked["title"].as_str().unwrap().chars().any(is_chinese), "{unasked}");
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

async fn problem_in(app: &TestApp, language: &str) -> Answer {
    app.send(app.request(Method::GET, "/me").header("Accept-Language", language)).await
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

async fn what_is_wrong_with_a_field_is_told_in_the_readers_language(db: Database) {
    let app = TestApp::on(db).await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let long = format!("code={}", "x".repeat(513));
    let wrong = [
        ("/login", json, "{}"),
        ("/login", json, r#"{"code": 7}"#),
        ("/login", json, r#"{"code": ""}"#),
        ("/login", json, "[]"),
        ("/login", json, "{"),
        ("/login", form, "code=a%20b"),
        ("/login", form, "code=\u{e9}"),
        ("/login", form, &long),
        ("/login", form, "code=the code is a mock one"),
        ("/login", form, "code=%ff"),
        ("/login?x=1", form, "code=1"),
        ("/token/refresh", json, "{}"),
        ("/token/introspect", json, "{}"),
        ("/token", form, "grant_type=password"),
        ("/token", form, "grant_type=refresh_token&refresh_token=x&scope=%22"),
        ("/token", form, "grant_type=refresh_token&refresh_token=x&client_secret=y"),
        ("/token", form, "grant_type=a&grant_type=b"),
        ("/token", form, "code=1"),
        ("/token", json, "{}"),
    ];
    for (path, media_type, body) in wrong {
        let request =
            || app.request(Method::POST, path).header("Content-Type", media_type).body(body.to_owned());
        speaks_both_languages(&app, &format!("{path} {body}"), request).await;
    }

    let login = |app: &TestApp| app.request(Method::POST, "/login").header("Content-Type", json);
    speaks_both_languages(&app, "Idempotency-Key", || {
        login(&app).header("Idempotency-Key", "x".repeat(256)).body(r#"{"code": "1"}"#)
    })
    .await;
    let alice = app.login("alice").await;
    for path in ["/verify?permission=", "/verify?x=1", "/verify?permission=notes:write"] {
        let verify = || app.request(Method::GET, path).bearer_auth(&alice.access_token);
        speaks_both_languages(&app, path, verify).await;
    }
    let logout = || app.request(Method::POST, "/logout").bearer_auth(&alice.access_token);
    let everywhere = || logout().header("Content-Type", json).body(r#"{"everywhere": 7}"#);
    speaks_both_languages(&app, "everywhere", everywhere).await;
    let basic = || {
        let token = app.request(Method::POST, "/token").header("Content-Type", form);
        token.body("grant_type=refresh_token&refresh_token=x&client_id=a")
    };
    speaks_both_languages(&app, "another client", || basic().basic_auth("b", Some(""))).await;
    speaks_both_languages(&app, "no Basic", || basic().header("Authorization", "Basic !")).await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    for (media_type, body) in [(json, "{}"), (form, ""), (form, "token=a&token=b")] {
        let introspect = || {
            let request = app.request(Method::POST, "/token/introspect").bearer_auth(&key);
            request.header("Content-Type", media_type).body(body)
        };
        speaks_both_languages(&app, &format!("introspect {body}"), introspect).await;
    }
}

async fn a_mini_program_that_is_not_named_is_asked_for_in_the_readers_language(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    for (path, media_type, body) in [
        ("/login", "application/json", r#"{"code": "1"}"#),
        ("/login", "application/json", r#"{"code": "1", "appid": "wx0000000000000000"}"#),
        (
            "/token",
            "application/x-www-form-urlencoded",
            "grant_type=urn:weauth:params:oauth:grant-type:wechat-code&code=1",
        ),
    ] {
        let request = || app.request(Method::POST, path).header("Content-Type", media_type).body(body);
        speaks_both_languages(&app, &format!("{path} {body}"), request).await;
    }
}

async fn what_became_of_a_phone_code_is_told_in_the_readers_language(db: Database) {
    let app = TestApp::on(db).await;
    for (language, chinese) in [("zh-CN", true), ("en", false)] {
        let body = json!({"code": app.code_for("alice"), "phone_code": "x"}).to_string();
        let login = app.request(Method::POST, "/login").header("Accept-Language", language);
        let answer = app.send(login.header("Content-Type", "application/json").body(body)).await.ok();
        let detail = answer["phone_error"]["detail"].as_str().unwrap();
        assert_eq!(detail.chars().any(is_chinese), chinese, "{detail}");
    }
}

/// Asserts that this request's problem is entirely in Chinese or in English, as requested, and that what standard
/// OAuth clients read of it is ASCII.
async fn speaks_both_languages(app: &TestApp, what: &str, request: impl Fn() -> RequestBuilder) {
    for (language, chinese) in [("zh-CN", true), ("en", false)] {
        let answer = app.send(request().header("Accept-Language", language)).await;
        assert!(answer.status.is_client_error(), "{what}: {}", answer.text);
        let told = answer.json();
        let mut texts = vec![told["title"].clone(), told["detail"].clone()];
        texts.extend(told["errors"].as_array().into_iter().flatten().map(|error| error["detail"].clone()));
        for text in texts {
            assert_eq!(text.as_str().unwrap().chars().any(is_chinese), chinese, "{what}: {told}");
        }
        if let Some(description) = told["error_description"].as_str() {
            assert!(description.is_ascii(), "{what}: {told}");
        }
    }
}

//! Problems are told in the language that the reader prefers, and in that one alone.

use crate::harness::{Answer, Builder, Database, TestApp, on_sqlite};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

on_sqlite!(
    problems_speak_the_readers_language,
    what_is_wrong_with_a_field_is_told_in_the_readers_language,
    a_mini_program_that_is_not_named_is_asked_for_in_the_readers_language,
    what_became_of_a_phone_code_is_told_in_the_readers_language,
);

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

async fn problem_in(app: &TestApp, language: &str) -> Answer {
    app.send(app.request(Method::GET, "/me").header("Accept-Language", language)).await
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
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

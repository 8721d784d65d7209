//! What is no key, and how that is told.

use super::{SCOPE, ask, ask_by_form, ask_with, basic, introspect};
use crate::harness::{Database, TestApp, on_sqlite};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

on_sqlite!(
    what_is_no_key_opens_nothing,
    keys_that_somebody_makes_up_are_refused_together,
    errors_speak_of_the_key_to_both_kinds_of_client,
);

async fn what_is_no_key_opens_nothing(db: Database) {
    let app = TestApp::on(db).await;
    let (key, other) = (app.add_api_key("shop", &[SCOPE]), app.add_api_key("other", &[SCOPE]));
    let login = app.login("alice").await;
    let made_up = format!("weauth_{}", "A".repeat(43));
    for wrong in [
        format!("Bearer {}", login.access_token),
        format!("Bearer {}", login.refresh_token),
        format!("Bearer {made_up}"),
        format!("Bearer {}", &key[1..]),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {key} {key}"),
        basic("other", &key),
        basic("shop", &other),
        basic("", &key),
        basic(&key, "shop"),
        basic("shop", ""),
        basic("shop", &login.access_token),
        "Basic c2hvcA==".to_owned(),
        "Basic not base64".to_owned(),
    ] {
        ask_with(&app, &wrong).await.problem(401, "token_invalid");
    }
    for missing in ["", "Bearer", "Bearer ", "Basic", "Digest username=\"shop\"", "shop"] {
        ask_with(&app, missing).await.problem(401, "token_missing");
    }
    let twice = introspect(&app).bearer_auth(&key).header("Authorization", basic("shop", &key));
    app.send(twice.body("token=x")).await.problem(401, "token_invalid");

    ask_by_form(&app, "").await.problem(401, "token_missing");
    ask_by_form(&app, "client_id=shop").await.problem(401, "token_missing");
    ask_by_form(&app, "client_id=shop&client_secret=").await.problem(401, "token_missing");
    ask_by_form(&app, &format!("client_secret={key}")).await.problem(400, "invalid_request");
    ask_by_form(&app, &format!("client_id=other&client_secret={key}")).await.problem(401, "token_invalid");
    ask_by_form(&app, &format!("client_id=shop&client_secret={made_up}")).await.problem(401, "token_invalid");
    let both = introspect(&app).bearer_auth(&key);
    let both = app.send(both.body(format!("token=x&client_id=shop&client_secret={key}"))).await;
    both.problem(400, "invalid_request");
    // Without a key, nothing is revealed about the form, and no key is accepted in the URL.
    app.post_json("/token/introspect", json!({"token": "x"})).await.problem(401, "token_missing");
    let in_url = app.request(Method::POST, "/token/introspect?client_id=shop&token=x");
    app.send(in_url).await.problem(400, "invalid_request");
}

async fn keys_that_somebody_makes_up_are_refused_together(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &[SCOPE]);
    ask(&app, &key).await.ok();
    let began = Instant::now();

    let made_up = (0..200).map(|n| format!("weauth_{n:0>43}")).collect::<Vec<_>>();
    for answer in join_all(made_up.iter().map(|made_up| ask(&app, made_up))).await {
        answer.problem(401, "token_invalid");
    }

    // One after the other, a tenth of a second each, they would take twenty.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    ask(&app, &key).await.ok();
}

async fn errors_speak_of_the_key_to_both_kinds_of_client(db: Database) {
    let app = TestApp::on(db).await;
    let answer = ask_with(&app, "Bearer weauth_x").await;
    let problem = answer.problem_with_retry(401, "token_invalid", "none");
    assert_eq!(problem["error"], "invalid_client");
    assert_eq!(problem["error_description"], problem["detail"]);
    assert!(problem["detail"].as_str().unwrap().contains("API key"), "{problem}");
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 2, "{challenges:?}");
    assert!(challenges[1].to_str().unwrap().starts_with("Basic "), "{challenges:?}");

    let in_chinese = app.send(introspect(&app).header("Accept-Language", "zh-CN").body("token=x")).await;
    let problem = in_chinese.problem(401, "token_missing");
    assert_eq!(problem["title"], "缺少 API key");
    assert!(problem["error_description"].as_str().unwrap().is_ascii(), "as RFC 6749 5.2 wants it: {problem}");

    let key = app.add_api_key("shop", &[SCOPE]);
    let nothing = app.send(introspect(&app).bearer_auth(&key).body("")).await;
    assert_eq!(nothing.problem(400, "invalid_request")["error"], "invalid_request");
    let twice = app.send(introspect(&app).bearer_auth(&key).body("token=x&token=y")).await;
    twice.problem(400, "invalid_request");
    let json = app
        .request(Method::POST, "/token/introspect")
        .bearer_auth(&key)
        .header("Content-Type", "application/json");
    let json = app.send(json.body(r#"{"token":"x"}"#)).await;
    assert_eq!(json.problem(415, "unsupported_media_type")["error"], "invalid_request");
    let huge = app.send(introspect(&app).bearer_auth(&key).body("x".repeat(70_000))).await;
    huge.problem(413, "payload_too_large");
}

//! API keys of backends: how they are created, presented and revoked, and what they grant.

use crate::harness::{Answer, Builder, Database, Proxy, TestApp, on_both, on_postgres, on_sqlite};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(
    a_key_is_printed_alone_listed_without_itself_and_revoked,
    a_name_is_for_one_key_at_a_time,
    of_two_who_add_one_name_at_once_one_does,
    a_new_key_works_at_once_and_a_revoked_one_nowhere_within_a_second,
    each_key_opens_what_its_scopes_say,
    the_last_use_is_shown,
);
on_sqlite!(
    wrong_usage_is_named,
    a_key_is_presented_in_three_ways,
    what_is_no_key_opens_nothing,
    keys_that_somebody_makes_up_are_refused_together,
    an_api_key_is_no_access_token,
    errors_speak_of_the_key_to_both_kinds_of_client,
);
on_postgres!(known_keys_outlive_the_database);

const SCOPE: &str = "tokens:introspect";

/// How long a node may take to learn of a revoked key.
const A_SECOND: Duration = Duration::from_secs(1);

fn introspect(app: &TestApp) -> RequestBuilder {
    app.request(Method::POST, "/token/introspect").header("Content-Type", "application/x-www-form-urlencoded")
}

/// Introspects an invalid token.
async fn ask(app: &TestApp, key: &str) -> Answer {
    app.send(introspect(app).bearer_auth(key).body("token=x")).await
}

fn basic(name: &str, key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{key}")))
}

async fn ask_with(app: &TestApp, authorization: &str) -> Answer {
    app.send(introspect(app).header("Authorization", authorization).body("token=x")).await
}

async fn ask_by_form(app: &TestApp, form: &str) -> Answer {
    app.send(introspect(app).body(format!("token=x&{form}"))).await
}

fn listed(app: &TestApp) -> Vec<Value> {
    let list = app.weauth(&["keys", "api", "list", "--json"]);
    assert!(list.status.success(), "{}", list.said);
    let listed: Value = serde_json::from_str(&list.printed).unwrap();
    listed["items"].as_array().unwrap().clone()
}

fn revoke(app: &TestApp, name: &str) {
    let revoked = app.weauth(&["keys", "api", "revoke", name]);
    assert!(revoked.status.success() && revoked.printed.is_empty(), "{}", revoked.said);
}

async fn a_key_is_printed_alone_listed_without_itself_and_revoked(db: Database) {
    let app = TestApp::on(db.clone()).await;
    assert_eq!(listed(&app), Vec::<Value>::new());

    let key = app.add_api_key("shop.backend-1", &["users:read", SCOPE, SCOPE]);

    assert!(key.starts_with("weauth_") && key.len() == 50 && !key.contains(char::is_whitespace), "{key}");
    ask(&app, &key).await.ok();
    let items = listed(&app);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["name"], "shop.backend-1");
    assert_eq!(items[0]["scopes"], json!(["users:read", SCOPE]));
    assert_eq!(items[0]["hint"], key[..11]);
    assert!(items[0]["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(items[0]["revoked_at"], Value::Null);
    let table = app.weauth(&["keys", "api", "list"]).printed;
    assert!(table.starts_with("NAME") && table.contains("shop.backend-1"), "{table}");
    for stored in db.texts("SELECT hash || name || hint || scopes AS text FROM api_keys") {
        assert!(!stored.contains(&key), "only a digest is stored");
    }

    revoke(&app, "shop.backend-1");

    assert!(listed(&app)[0]["revoked_at"].as_str().unwrap().ends_with('Z'));
    await_last_use(&app).await;
    let audit = db.texts("SELECT action || ' ' || target || ' ' || actor AS text FROM audit ORDER BY id");
    let expected = ["api_key.add shop.backend-1 terminal", "api_key.revoke shop.backend-1 terminal"];
    assert_eq!(audit, expected);
}

async fn wrong_usage_is_named(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let long = "x".repeat(65);
    for (arguments, named) in [
        (&["keys", "api", "add", "shop"][..], "--scope"),
        (&["keys", "api", "add", "shop", "--scope", "users:*"][..], "users:read"),
        (&["keys", "api", "add", "shop", "--scope", "users:read,users:write"][..], "users:read"),
        (&["keys", "api", "add", "--scope", SCOPE][..], "NAME"),
        (&["keys", "api", "add", "a shop", "--scope", SCOPE][..], "letters"),
        (&["keys", "api", "add", &long, "--scope", SCOPE][..], "64"),
        (&["keys", "api", "revoke"][..], "NAME"),
    ] {
        let wrong = app.weauth(arguments);
        assert_eq!(wrong.status.code(), Some(2), "{arguments:?}: {}", wrong.said);
        assert!(wrong.printed.is_empty() && wrong.said.contains(named), "{arguments:?}: {}", wrong.said);
    }
    assert_eq!(db.count("api_keys"), 0);
}

async fn a_name_is_for_one_key_at_a_time(db: Database) {
    let app = TestApp::on(db).await;
    let first = app.add_api_key("shop", &[SCOPE]);

    let taken = app.weauth(&["keys", "api", "add", "shop", "--scope", SCOPE]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(taken.printed.is_empty() && taken.said.contains("shop"), "{}", taken.said);
    assert_eq!(taken.said.lines().count(), 1, "{}", taken.said);
    ask(&app, &first).await.ok();

    revoke(&app, "shop");
    revoke(&app, "shop"); // again is no error
    let unknown = app.weauth(&["keys", "api", "revoke", "shoe"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.said.contains("shoe"), "{}", unknown.said);

    let second = app.add_api_key("shop", &[SCOPE]);
    assert_ne!(first, second);
    ask_with(&app, &basic("shop", &second)).await.ok();
    ask_with(&app, &basic("shop", &first)).await.problem(401, "token_invalid");
    assert_eq!(listed(&app).len(), 2);
}

async fn of_two_who_add_one_name_at_once_one_does(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let add = || app.weauth(&["keys", "api", "add", "shop", "--scope", SCOPE]).status.code();
    let codes = std::thread::scope(|scope| {
        let adding: Vec<_> = (0..4).map(|_| scope.spawn(add_in_runtime(&add))).collect();
        adding.into_iter().map(|adding| adding.join().unwrap()).collect::<Vec<_>>()
    });
    let done = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!((done, db.count("api_keys")), (1, 1), "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
}

/// The harness waits for its commands with `block_in_place`, so a thread must enter the runtime.
fn add_in_runtime<'a, T: Send>(work: &'a (impl Fn() -> T + Sync)) -> impl FnOnce() -> T + Send + 'a {
    let runtime = tokio::runtime::Handle::current();
    move || {
        let _inside = runtime.enter();
        work()
    }
}

async fn a_new_key_works_at_once_and_a_revoked_one_nowhere_within_a_second(db: Database) {
    let app = TestApp::on(db).await;
    let two = app.second_node().await;
    let key = app.add_api_key("shop", &[SCOPE]);
    let other = app.add_api_key("other", &[SCOPE]);
    for node in [&app, &two] {
        ask(node, &key).await.ok();
        ask(node, &other).await.ok();
    }

    revoke(&app, "shop");

    let began = Instant::now();
    for node in [&app, &two] {
        while ask(node, &key).await.status == 200 {
            assert!(began.elapsed() < A_SECOND, "a revoked key still opens something");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ask(node, &key).await.problem(401, "token_invalid");
        ask(node, &other).await.ok();
    }
    let app = {
        app.stop();
        app.restart().await
    };
    ask(&app, &key).await.problem(401, "token_invalid");
    ask(&app, &other).await.ok();
}

async fn each_key_opens_what_its_scopes_say(db: Database) {
    let app = TestApp::on(db).await;
    let scopes = ["users:read", "users:write", "audit:read", "stats:read", SCOPE, "wechat:token"];
    let keys = scopes.map(|scope| app.add_api_key(&scope.replace(':', "-"), &[scope]));
    let all = app.add_api_key("all", &scopes);
    for (scope, key) in scopes.iter().zip(&keys) {
        let answer = ask(&app, key).await;
        if *scope == SCOPE {
            answer.ok();
        } else {
            let problem = answer.problem_with_retry(403, "permission_denied", "none");
            assert_eq!(problem["error"], "access_denied");
            assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
        }
    }
    ask(&app, &all).await.ok();
}

async fn the_last_use_is_shown(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &[SCOPE]);
    assert_eq!(listed(&app)[0]["last_used_at"], Value::Null);
    ask(&app, &key).await.ok();
    await_last_use(&app).await;
}

/// Works for a key that was revoked right after its use too.
async fn await_last_use(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while listed(app)[0]["last_used_at"].is_null() {
        assert!(Instant::now() < deadline, "the use is never written down");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_key_is_presented_in_three_ways(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop.1_a-b", &[SCOPE]);
    let encoded: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
    for authorization in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        basic("shop.1_a-b", &key),
        basic("shop%2E1%5Fa%2Db", &encoded),
        basic("shop.1_a-b", &key).replace("Basic", "basic"),
    ] {
        ask_with(&app, &authorization).await.ok();
    }
    ask_by_form(&app, &format!("client_id=shop.1_a-b&client_secret={key}")).await.ok();
    ask_by_form(&app, &format!("client_secret={encoded}&client_id=shop%2E1_a-b")).await.ok();
    // Some clients identify themselves in the form as well as in the header.
    let beside = introspect(&app).header("Authorization", basic("shop.1_a-b", &key));
    app.send(beside.body("token=x&client_id=shop.1_a-b")).await.ok();
}

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

async fn an_api_key_is_no_access_token(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &["users:read", "users:write", SCOPE]);
    app.me(&key).await.problem(401, "token_invalid");
    let me = app.request(Method::GET, "/me").header("Authorization", basic("shop", &key));
    app.send(me).await.problem(401, "token_missing");
    let refresh = json!({"refresh_token": key});
    app.post_json("/token/refresh", refresh).await.problem(401, "refresh_token_invalid");
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

async fn known_keys_outlive_the_database(db: Database) {
    let proxy = Proxy::to(db.address()).await;
    let url = db.url_through(proxy.address);
    let app = Builder::new(db).database_url(url).start().await;
    let key = app.add_api_key("shop", &[SCOPE]);
    ask(&app, &key).await.ok();

    proxy.cut();

    ask(&app, &key).await.ok();
    let made_up = ask(&app, &format!("weauth_{}", "A".repeat(43))).await;
    made_up.problem_with_retry(503, "database_unavailable", "later");
    revoke(&app, "shop"); // the command has its own connection to the database
    ask(&app, &key).await.ok();

    proxy.mend();

    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&app, &key).await.status == 200 {
        assert!(Instant::now() < deadline, "the node never hears of what was revoked meanwhile");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ask(&app, &key).await.problem(401, "token_invalid");
}

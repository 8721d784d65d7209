//! Introspection: which tokens are active, and what a backend learns about them.

use crate::harness::{Builder, Database, Login, TestApp, on_both, on_sqlite};
use crate::jwt;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(
    a_good_access_token_is_told_with_its_claims,
    a_good_refresh_token_is_told_and_not_turned,
    what_is_not_good_is_inactive_and_nothing_more,
    a_token_whose_time_is_over_is_inactive,
    a_banned_or_deleted_users_tokens_are_inactive,
    a_replaced_refresh_token_is_active_for_the_grace_alone,
    a_good_token_is_active_while_it_is_being_turned,
);
on_sqlite!(asking_about_a_reused_refresh_token_ends_nothing);

const INACTIVE: &str = r#"{"active":false}"#;

async fn ask(app: &TestApp, key: &str, token: &str) -> Value {
    let form: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
    let request = app.request(Method::POST, "/token/introspect").bearer_auth(key);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = app.send(request.body(form)).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    if answer.json()["active"] == false {
        assert_eq!(answer.text, INACTIVE);
    }
    answer.ok()
}

async fn key_of(app: &TestApp) -> String {
    app.add_api_key("shop", &["tokens:introspect"])
}

async fn refresh(app: &TestApp, token: &str) -> Login {
    Login::from(&app.post_json("/token/refresh", json!({"refresh_token": token})).await)
}

async fn a_good_access_token_is_told_with_its_claims(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let key = key_of(&app).await;
    let first = app.login("alice").await;
    let claims = first.claims();

    for node in [&app, &two] {
        let told = ask(node, &key, &first.access_token).await;
        assert_eq!(told["active"], true);
        assert_eq!(told["token_type"], "Bearer");
        for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "roles", "scope"] {
            assert!(!claims[claim].is_null(), "{claims}");
            assert_eq!(told[claim], claims[claim], "{claim}");
        }
        assert_eq!(told.as_object().unwrap().len(), 12, "{told}");
    }

    // A hint is only a hint (RFC 7662 2.1).
    for hint in ["access_token", "refresh_token", "anything"] {
        let form = format!("token={}&token_type_hint={hint}&unknown=1", first.access_token);
        let request = app.request(Method::POST, "/token/introspect").bearer_auth(&key);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(app.send(request.body(form)).await.ok()["active"], true);
    }
}

async fn a_good_refresh_token_is_told_and_not_turned(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let key = key_of(&app).await;
    let login = app.login("alice").await;
    let stored =
        || db.texts("SELECT generation || ' ' || rotated_at || ' ' || expires_at AS text FROM sessions");
    let before = stored();

    let told = ask(&app, &key, &login.refresh_token).await;

    assert_eq!(told["active"], true);
    assert_eq!(told["sub"], login.user_id());
    assert_eq!(told["sid"], login.sid());
    assert_eq!(told["client_id"], app.app().appid.as_str());
    let lifetime = told["exp"].as_i64().unwrap() - login.claims()["iat"].as_i64().unwrap();
    assert!((2_591_995..=2_592_005).contains(&lifetime), "{told}");
    for absent in ["token_type", "aud", "scope", "roles", "jti"] {
        assert!(told.get(absent).is_none(), "a refresh token looks like an access token: {told}");
    }
    assert_eq!(stored(), before);
    refresh(&app, &login.refresh_token).await;
}

async fn what_is_not_good_is_inactive_and_nothing_more(db: Database) {
    let app = TestApp::on(db).await;
    let two = app.second_node().await;
    let key = key_of(&app).await;
    let login = app.login("alice").await;
    let parts: Vec<&str> = login.refresh_token.split('.').collect();
    let [user, session, _, mac] = parts[..] else { panic!("a refresh token has four parts") };
    let (header, claims) = (jwt::header(&login.access_token), login.claims());
    let tampered = format!("{}x", login.access_token);
    for (what, token) in [
        ("garbage", "x".to_owned()),
        ("dots", "...".to_owned()),
        ("an API key", key.clone()),
        ("a tampered access token", tampered),
        ("an unsigned one", jwt::Forger::unsigned(&header, &claims)),
        ("one signed by somebody else", jwt::Forger::new().sign(&header, &claims)),
        ("a refresh token of another generation", format!("{user}.{session}.2.{mac}")),
        ("a session's id", login.sid()),
        ("something long", "a.".repeat(20_000)),
        ("something strange", "\u{0}日本\n%".to_owned()),
    ] {
        assert_eq!(ask(&app, &key, &token).await, json!({"active": false}), "{what}");
    }

    let ended = app.login("alice").await;
    for token in [&ended.access_token, &ended.refresh_token] {
        assert_eq!(ask(&two, &key, token).await["active"], true);
    }
    let logout = app.request(Method::POST, "/logout").bearer_auth(&ended.access_token);
    assert_eq!(app.send(logout).await.status.as_u16(), 204);
    for token in [&ended.access_token, &ended.refresh_token] {
        assert_eq!(ask(&app, &key, token).await, json!({"active": false}));
    }
    let began = Instant::now();
    while ask(&two, &key, &ended.access_token).await["active"] == true {
        assert!(began.elapsed() < Duration::from_secs(1), "the other node still calls it active");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&app, &key, &login.access_token).await["active"], true);
}

async fn a_token_whose_time_is_over_is_inactive(db: Database) {
    let app = Builder::new(db)
        .set("WEAUTH_ACCESS_TTL", "1")
        .set("WEAUTH_REFRESH_TTL", "1")
        .set("WEAUTH_REFRESH_GRACE", "0")
        .start()
        .await;
    let key = key_of(&app).await;
    let login = app.login("alice").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    for token in [&login.access_token, &login.refresh_token] {
        while ask(&app, &key, token).await["active"] == true {
            assert!(Instant::now() < deadline, "a token of one second is still active");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn a_banned_or_deleted_users_tokens_are_inactive(db: Database) {
    let app = TestApp::on(db).await;
    let key = key_of(&app).await;
    let (alice, bob) = (app.login("alice").await, app.login("bob").await);
    assert!(app.weauth(&["users", "ban", alice.user_id()]).status.success());
    assert!(app.weauth(&["users", "delete", bob.user_id(), "--yes"]).status.success());
    let deadline = Instant::now() + Duration::from_secs(1);
    for token in [&alice.access_token, &alice.refresh_token, &bob.access_token, &bob.refresh_token] {
        while ask(&app, &key, token).await != json!({"active": false}) {
            assert!(Instant::now() < deadline, "active a second after the ban");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn a_replaced_refresh_token_is_active_for_the_grace_alone(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "2").start().await;
    let key = key_of(&app).await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first.refresh_token).await;

    let (old, new) =
        (ask(&app, &key, &first.refresh_token).await, ask(&app, &key, &second.refresh_token).await);
    assert_eq!((&old["active"], &new["active"]), (&json!(true), &json!(true)));
    assert!(old["exp"].as_i64().unwrap() < new["exp"].as_i64().unwrap() - 1000, "{old} {new}");

    let deadline = Instant::now() + Duration::from_secs(10);
    while ask(&app, &key, &first.refresh_token).await["active"] == true {
        assert!(Instant::now() < deadline, "the grace never ends");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ask(&app, &key, &second.refresh_token).await["active"], true);
    let third = refresh(&app, &second.refresh_token).await;
    assert_eq!(ask(&app, &key, &first.refresh_token).await, json!({"active": false}));
    assert_eq!(ask(&app, &key, &third.refresh_token).await["active"], true);
}

async fn asking_about_a_reused_refresh_token_ends_nothing(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "0").start().await;
    let key = key_of(&app).await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first.refresh_token).await;
    let third = refresh(&app, &second.refresh_token).await;
    for _ in 0..3 {
        assert_eq!(ask(&app, &key, &first.refresh_token).await, json!({"active": false}));
    }
    assert_eq!(ask(&app, &key, &third.refresh_token).await["active"], true);
    app.me(&third.access_token).await.ok();
}

async fn a_good_token_is_active_while_it_is_being_turned(db: Database) {
    let one = TestApp::on(db).await;
    let two = one.second_node().await;
    let key = key_of(&one).await;
    let mut login = one.login("alice").await;
    for turn in 0..15 {
        let node = [&one, &two][turn % 2];
        let asking = async {
            for asked in 0..8 {
                let node = [&one, &two][asked % 2];
                for token in [&login.access_token, &login.refresh_token] {
                    assert_eq!(ask(node, &key, token).await["active"], true, "turn {turn}");
                }
            }
        };
        let (next, ()) = tokio::join!(refresh(node, &login.refresh_token), asking);
        login = next;
        for node in [&one, &two] {
            for token in [&login.access_token, &login.refresh_token] {
                assert_eq!(ask(node, &key, token).await["active"], true, "after turn {turn}");
            }
        }
    }
}

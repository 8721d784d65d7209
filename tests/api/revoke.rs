//! Revocation: a backend's token ends its session, here at once and on other nodes within a second.

use crate::harness::{Answer, Builder, Database, Login, TestApp, on_both, on_sqlite};
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

on_both!(
    an_access_token_ends_its_session_everywhere,
    a_refresh_token_ends_its_session_everywhere,
    an_old_refresh_token_ends_its_session_too,
    an_expired_access_token_ends_its_session_too,
    many_who_revoke_one_token_at_once_are_all_answered,
);
on_sqlite!(what_is_no_token_is_answered_alike, a_key_without_the_scope_revokes_nothing);

async fn revoke(app: &TestApp, key: &str, token: &str) -> Answer {
    let request = app.request(Method::POST, "/token/revoke").bearer_auth(key);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    app.send(request.body(format!("token={token}&token_type_hint=refresh_token"))).await
}

#[track_caller]
fn is_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": token})).await
}

/// Asserts that no token of this session works, here or on the other node.
async fn assert_ended(app: &TestApp, two: &TestApp, login: &Login) {
    app.me(&login.access_token).await.problem(401, "token_revoked");
    for node in [app, two] {
        refresh(node, &login.refresh_token).await.problem(401, "refresh_token_invalid");
    }
    let began = Instant::now();
    while two.me(&login.access_token).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(1), "the other node still lets it in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    two.me(&login.access_token).await.problem(401, "token_revoked");
}

async fn an_access_token_ends_its_session_everywhere(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let (login, other) = (app.login("alice").await, app.login("alice").await);
    two.me(&login.access_token).await.ok();

    is_done(&revoke(&app, &key, &login.access_token).await);

    assert_ended(&app, &two, &login).await;
    app.me(&other.access_token).await.ok();
    is_done(&revoke(&app, &key, &login.access_token).await); // again
    let audit = "SELECT actor || ' ' || target || ' ' || detail || ' ' || ip AS text FROM audit \
                 WHERE action = 'user.logout'";
    let expected = format!("api_key:shop {} {} 127.0.0.1", login.user_id(), login.sid());
    assert_eq!(db.texts(audit), [expected], "one ending, one row");
}

async fn a_refresh_token_ends_its_session_everywhere(db: Database) {
    let app = TestApp::on(db).await;
    let two = app.second_node().await;
    let key = app.add_api_key("shop", &["users:write"]);
    let login = app.login("alice").await;
    two.me(&login.access_token).await.ok();

    is_done(&revoke(&app, &key, &login.refresh_token).await);

    assert_ended(&app, &two, &login).await;
    app.kill();
    let app = app.restart().await;
    app.me(&login.access_token).await.problem(401, "token_revoked");
}

async fn an_old_refresh_token_ends_its_session_too(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "0").start().await;
    let two = app.second_node().await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let first = app.login("alice").await;
    let second = Login::from(&refresh(&app, &first.refresh_token).await);
    let third = Login::from(&refresh(&app, &second.refresh_token).await);

    is_done(&revoke(&app, &key, &first.refresh_token).await);

    assert_ended(&app, &two, &third).await;
}

async fn an_expired_access_token_ends_its_session_too(db: Database) {
    let app = Builder::new(db).set("WEAUTH_ACCESS_TTL", "1").start().await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let login = app.login("alice").await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while app.me(&login.access_token).await.code() != "token_expired" {
        assert!(Instant::now() < deadline, "a token of one second still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    is_done(&revoke(&app, &key, &login.access_token).await);

    refresh(&app, &login.refresh_token).await.problem(401, "refresh_token_invalid");
}

async fn many_who_revoke_one_token_at_once_are_all_answered(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let login = app.login("alice").await;
    let revoking = (0..20).map(|n| {
        let token = if n % 3 == 0 { &login.access_token } else { &login.refresh_token };
        revoke([&app, &two][n % 2], &key, token)
    });
    for answer in futures_util::future::join_all(revoking).await {
        is_done(&answer);
    }
    assert_ended(&app, &two, &login).await;
    assert_eq!(db.count("audit WHERE action = 'user.logout'"), 1);
}

async fn what_is_no_token_is_answered_alike(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let login = app.login("alice").await;
    let parts: Vec<&str> = login.refresh_token.split('.').collect();
    let forged = format!("{}.{}.2.{}", parts[0], parts[1], parts[3]);
    for token in ["x", "...", &key, &login.sid(), &format!("{}x", login.access_token), &forged] {
        is_done(&revoke(&app, &key, token).await);
    }
    app.me(&login.access_token).await.ok();
    refresh(&app, &login.refresh_token).await.ok();
    let missing = revoke(&app, &key, "").await;
    assert_eq!(missing.problem(400, "invalid_request")["error"], "invalid_request");
    assert_eq!(db.count("audit WHERE action = 'user.logout'"), 0);
}

async fn a_key_without_the_scope_revokes_nothing(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &["users:read", "audit:read", "stats:read", "wechat:token"]);
    let login = app.login("alice").await;
    let answer = revoke(&app, &key, &login.access_token).await;
    assert_eq!(answer.problem(403, "permission_denied")["error"], "access_denied");
    revoke(&app, &login.access_token, &login.access_token).await.problem(401, "token_invalid");
    app.post("/token/revoke", "application/x-www-form-urlencoded", "token=x")
        .await
        .problem(401, "token_missing");
    app.me(&login.access_token).await.ok();
}

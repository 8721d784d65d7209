//! A session's life: it is refreshed, listed and ended, here and on every other node.

use crate::harness::{Answer, Builder, Database, Login, TestApp, await_revoked, on_both};
use chrono::{DateTime, SubsecRound, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

on_both!(
    what_is_no_session_id_is_not_found,
    a_refresh_gives_new_tokens_of_the_same_session,
    fifty_refreshes_at_once_get_one_successor_and_sign_nobody_out,
    clients_that_refresh_again_and_again_at_once_sign_nobody_out,
    two_nodes_refresh_one_token_to_one_successor,
    a_token_that_was_replaced_long_ago_ends_the_session,
    tokens_that_are_not_ours_are_refused,
    a_session_that_was_not_used_in_time_has_ended,
    a_refresh_promises_no_more_than_the_session_has_left,
    a_logout_ends_the_session_at_once_and_everywhere_within_a_second,
    a_logout_everywhere_ends_all_sessions,
    a_restart_brings_no_ended_session_back,
    people_see_and_end_their_own_devices,
);

async fn what_is_no_session_id_is_not_found(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    for id in ["%00", "x", "' OR 1=1", "%E4%BD%A0", &"0".repeat(32), &login.sid().to_uppercase()] {
        let request = app.request(Method::DELETE, &format!("/me/sessions/{id}"));
        app.send(request.bearer_auth(&login.access_token)).await.problem(404, "not_found");
    }
    app.me(&login.access_token).await.ok();
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": token})).await
}

fn refresh_token(answer: &Value) -> String {
    answer["refresh_token"].as_str().unwrap().to_owned()
}

async fn refresh_token_of(app: &TestApp, person: &str) -> (Login, String) {
    let answer = app.login_with(json!({"code": app.code_for(person)})).await;
    (Login::from(&answer), refresh_token(&answer.ok()))
}

async fn logout(app: &TestApp, token: &str, body: Option<Value>) -> Answer {
    let request = app.request(Method::POST, "/logout").bearer_auth(token);
    app.send(match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    })
    .await
}

async fn a_refresh_gives_new_tokens_of_the_same_session(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (login, first) = refresh_token_of(&app, "alice").await;

    let answer = refresh(&app, &first).await;

    let refreshed = Login::from(&answer);
    assert_eq!((refreshed.sid(), refreshed.user_id()), (login.sid(), login.user_id()));
    assert_ne!(refreshed.claims()["jti"], login.claims()["jti"]);
    let body = answer.ok();
    assert_eq!(body["user"]["created"], false);
    assert_ne!(refresh_token(&body), first);
    assert_eq!(app.me(&refreshed.access_token).await.ok()["id"], login.user_id());
    // The whole chain continues.
    let mut token = refresh_token(&body);
    for _ in 0..5 {
        token = refresh_token(&refresh(&app, &token).await.ok());
    }
    assert_eq!(db.count("sessions"), 1);
}

async fn fifty_refreshes_at_once_get_one_successor_and_sign_nobody_out(db: Database) {
    let app = TestApp::on(db).await;
    let (_, mut token) = refresh_token_of(&app, "alice").await;
    for _ in 0..3 {
        let answers = join_all((0..50).map(|_| refresh(&app, &token))).await;
        let successors: BTreeSet<String> = answers.iter().map(|answer| refresh_token(&answer.ok())).collect();
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().unwrap();
    }
}

/// Each continues with the token that it received last, however far ahead the others are.
async fn clients_that_refresh_again_and_again_at_once_sign_nobody_out(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (login, first) = refresh_token_of(&app, "alice").await;
    let client = async || {
        let mut token = first.clone();
        for _ in 0..5 {
            token = refresh_token(&refresh(&app, &token).await.ok());
        }
    };
    join_all((0..20).map(|_| client())).await;
    // A client that is still at the very first token.
    let answer = refresh(&app, &first).await;
    assert_eq!(Login::from(&answer).sid(), login.sid());
    assert_eq!(db.count("sessions"), 1);
}

async fn two_nodes_refresh_one_token_to_one_successor(db: Database) {
    let one = TestApp::on(db).await;
    let two = one.second_node().await;
    let (_, mut token) = refresh_token_of(&one, "alice").await;
    for _ in 0..5 {
        let answers = join_all((0..10).map(|n| refresh([&one, &two][n % 2], &token))).await;
        let successors: BTreeSet<String> = answers.iter().map(|answer| refresh_token(&answer.ok())).collect();
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().unwrap();
    }
}

async fn a_token_that_was_replaced_long_ago_ends_the_session(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_REFRESH_GRACE", "0").start().await;
    let two = app.second_node().await;
    let (login, first) = refresh_token_of(&app, "alice").await;
    assert_eq!(two.me(&login.access_token).await.status.as_u16(), 200);
    let second = refresh_token(&refresh(&app, &first).await.ok());
    let third = refresh_token(&refresh(&app, &second).await.ok());

    refresh(&app, &first).await.problem_with_retry(401, "refresh_token_reused", "relogin");

    refresh(&app, &third).await.problem(401, "refresh_token_invalid");
    app.me(&login.access_token).await.problem(401, "token_revoked");
    await_revoked(&two, &login.access_token).await;
    assert_eq!(db.count("sessions"), 0);
}

async fn tokens_that_are_not_ours_are_refused(db: Database) {
    let app = TestApp::on(db).await;
    let (login, token) = refresh_token_of(&app, "alice").await;
    let parts: Vec<&str> = token.split('.').collect();
    let [user, session, generation, mac] = parts[..] else { panic!("a refresh token has four parts") };
    for forged in [
        String::new(),
        "x".to_owned(),
        "...".to_owned(),
        login.access_token.clone(),
        format!("{user}.{session}.2.{mac}"),
        format!("{user}.{session}.{generation}."),
        format!("{session}.{user}.{generation}.{mac}"),
        format!("{user}.{session}.{generation}.{mac}A"),
        format!("{token}."),
        token.to_uppercase(),
    ] {
        refresh(&app, &forged).await.problem(401, "refresh_token_invalid");
    }
    app.me(&token).await.problem(401, "token_invalid");
    app.post_json("/token/refresh", json!({})).await.problem(400, "invalid_request");
    app.post_json("/token/refresh", json!({"refresh_token": 7})).await.problem(400, "invalid_request");
    refresh(&app, &token).await.ok();
}

async fn a_session_that_was_not_used_in_time_has_ended(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_TTL", "1").start().await;
    let (login, token) = refresh_token_of(&app, "alice").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    refresh(&app, &token).await.problem(401, "refresh_token_invalid");
    app.me(&login.access_token).await.ok(); // it has its own lifetime, and can still be ended
    assert_eq!(logout(&app, &login.access_token, None).await.status.as_u16(), 204);
    app.me(&login.access_token).await.problem(401, "token_revoked");
}

async fn a_refresh_promises_no_more_than_the_session_has_left(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (_, first) = refresh_token_of(&app, "alice").await;
    let replaced = refresh(&app, &first).await.ok();
    assert_eq!(replaced["refresh_expires_in"], 2_592_000);
    let set = |columns: &[&str], to: DateTime<Utc>| {
        let to = to.format("%Y-%m-%d %H:%M:%S%.6f");
        let columns: Vec<String> = columns.iter().map(|column| format!("{column} = '{to}'")).collect();
        db.execute(&format!("UPDATE sessions SET {}", columns.join(", ")));
    };

    set(&["expires_at"], Utc::now() + Duration::from_secs(100)); // by a node where sessions expire sooner
    let again = refresh(&app, &first).await.ok();
    assert!((90..=100).contains(&again["refresh_expires_in"].as_i64().unwrap()), "{again}");

    let into_second = u64::from(Utc::now().timestamp_subsec_millis());
    tokio::time::sleep(Duration::from_millis(1000 - into_second)).await;
    set(&["expires_at", "ends_at"], Utc::now().trunc_subsecs(0) + Duration::from_millis(999));
    let last = refresh(&app, &refresh_token(&again)).await.ok();
    assert_eq!(last["refresh_expires_in"], 1, "less than a second is left, but not nothing");
    tokio::time::sleep(Duration::from_secs(1)).await;
    refresh(&app, &refresh_token(&last)).await.problem(401, "refresh_token_invalid");
}

async fn a_logout_ends_the_session_at_once_and_everywhere_within_a_second(db: Database) {
    let app = TestApp::on(db).await;
    let two = app.second_node().await;
    let (login, token) = refresh_token_of(&app, "alice").await;
    let other = app.login("alice").await;
    assert_eq!(two.me(&login.access_token).await.status.as_u16(), 200);

    assert_eq!(logout(&app, &login.access_token, None).await.status.as_u16(), 204);

    app.me(&login.access_token).await.problem(401, "token_revoked");
    refresh(&app, &token).await.problem(401, "refresh_token_invalid");
    refresh(&two, &token).await.problem(401, "refresh_token_invalid");
    await_revoked(&two, &login.access_token).await;
    app.me(&other.access_token).await.ok();
}

async fn a_logout_everywhere_ends_all_sessions(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (one, two) = (app.login("alice").await, app.login("alice").await);
    let bob = app.login("bob").await;
    logout(&app, &one.access_token, Some(json!({"everywhere": "maybe"})))
        .await
        .problem(400, "invalid_request");

    let answer = logout(&app, &one.access_token, Some(json!({"everywhere": true}))).await;

    assert_eq!(answer.status.as_u16(), 204);
    for login in [&one, &two] {
        app.me(&login.access_token).await.problem(401, "token_revoked");
    }
    app.me(&bob.access_token).await.ok();
    app.me(&app.login("alice").await.access_token).await.ok();
    assert_eq!(db.count("sessions"), 2);
}

async fn a_restart_brings_no_ended_session_back(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    assert_eq!(logout(&app, &login.access_token, None).await.status.as_u16(), 204);
    app.kill();

    let app = app.restart().await;

    app.me(&login.access_token).await.problem(401, "token_revoked");
}

async fn people_see_and_end_their_own_devices(db: Database) {
    let app = TestApp::on(db).await;
    let (phone, tablet, bob) = (app.login("alice").await, app.login("alice").await, app.login("bob").await);
    let list = |token: String| {
        let request = app.request(Method::GET, "/me/sessions").bearer_auth(token);
        app.send(request)
    };
    let end = |token: String, id: String| {
        let request = app.request(Method::DELETE, &format!("/me/sessions/{id}")).bearer_auth(token);
        app.send(request)
    };

    let sessions = list(phone.access_token.clone()).await.ok();
    let items = sessions["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    for item in items {
        assert_eq!(item["current"], item["id"] == phone.sid());
        assert_eq!(item["appid"], app.app().appid.as_str());
        assert_eq!(item["ip"], "127.0.0.1");
        for time in ["created_at", "last_used_at"] {
            assert!(item[time].as_str().unwrap().ends_with('Z'));
        }
    }

    end(bob.access_token.clone(), tablet.sid()).await.problem(404, "not_found");
    app.me(&tablet.access_token).await.ok();
    assert_eq!(end(phone.access_token.clone(), tablet.sid()).await.status.as_u16(), 204);
    app.me(&tablet.access_token).await.problem(401, "token_revoked");
    end(phone.access_token.clone(), tablet.sid()).await.problem(404, "not_found");
    assert_eq!(list(phone.access_token.clone()).await.ok()["items"].as_array().unwrap().len(), 1);
}

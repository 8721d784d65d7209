//! `WEAUTH_MAX_SESSIONS`: the newest sessions stay, however often and wherever a user logs in.

use crate::harness::{Answer, Builder, Database, Login, await_revoked, on_both};
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};

on_both!(
    a_login_beyond_the_limit_ends_the_oldest_session_at_once,
    a_session_whose_time_is_over_does_not_count,
    twenty_logins_at_once_leave_as_many_sessions_as_there_may_be,
);

async fn a_login_beyond_the_limit_ends_the_oldest_session_at_once(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_MAX_SESSIONS", "2").start().await;
    let two = app.second_node().await;
    let (first, second, bob) = (app.login("alice").await, app.login("alice").await, app.login("bob").await);
    for login in [&first, &second, &bob] {
        app.me(&login.access_token).await.ok();
        two.me(&login.access_token).await.ok();
    }

    let third = app.login("alice").await;

    app.me(&first.access_token).await.problem(401, "token_revoked");
    let refresh = app.post_json("/token/refresh", json!({"refresh_token": first.refresh_token})).await;
    refresh.problem(401, "refresh_token_invalid");
    await_revoked(&two, &first.access_token).await;
    for login in [&second, &third, &bob] {
        app.me(&login.access_token).await.ok();
        two.me(&login.access_token).await.ok();
    }
    assert_eq!(db.count("sessions"), 3);
    assert_eq!(
        db.texts("SELECT detail AS text FROM audit WHERE action = 'user.logout'"),
        ["more than 2 sessions"]
    );
}

async fn a_session_whose_time_is_over_does_not_count(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_MAX_SESSIONS", "2").start().await;
    let (first, second) = (app.login("alice").await, app.login("alice").await);
    let over =
        format!("UPDATE sessions SET expires_at = '2026-01-01 00:00:00' WHERE id = '{}'", second.sid());
    db.execute(&over);

    let third = app.login("alice").await;

    for login in [&first, &third] {
        app.me(&login.access_token).await.ok();
    }
    let fourth = app.login("alice").await;
    app.me(&first.access_token).await.problem(401, "token_revoked");
    app.me(&fourth.access_token).await.ok();
}

async fn twenty_logins_at_once_leave_as_many_sessions_as_there_may_be(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_MAX_SESSIONS", "3").start().await;
    let two = app.second_node().await;
    app.login("alice").await;
    let logins = (0..20).map(|n| {
        let node = [&app, &two][n % 2];
        node.login_with(json!({"code": node.code_for("alice")}))
    });

    let logins: Vec<Login> = join_all(logins).await.iter().map(Login::from).collect();

    assert_eq!(db.count("sessions"), 3);
    assert_eq!(db.count("revocations"), 18);
    let deadline = Instant::now() + Duration::from_secs(1);
    for node in [&app, &two] {
        loop {
            let asked = logins.iter().map(|login| node.me(&login.access_token));
            let answers: Vec<Answer> = join_all(asked).await;
            let good = answers.iter().filter(|answer| answer.status == 200).count();
            if good == 3 {
                break;
            }
            assert!(Instant::now() < deadline, "{good} sessions are good");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

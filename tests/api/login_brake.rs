//! `WEAUTH_RATE_LIMIT`: the limit of logins per minute from one address, over both endpoints.

use crate::harness::{Builder, Database, on_sqlite};
use reqwest::Method;

on_sqlite!(
    logins_beyond_the_limit_are_held_back_before_they_cost_a_code,
    clients_behind_a_trusted_proxy_are_told_apart,
);

async fn logins_beyond_the_limit_are_held_back_before_they_cost_a_code(db: Database) {
    let app = Builder::new(db).set("WEAUTH_RATE_LIMIT", "2").start().await;
    app.login("alice").await;
    app.login("alice").await;

    let code = app.code_for("alice");
    let form = "application/x-www-form-urlencoded";
    let refused = app.post("/login", form, &format!("code={code}")).await;
    refused.problem_with_retry(429, "rate_limited", "later");
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");

    let grant = "urn:weauth:params:oauth:grant-type:wechat-code";
    let oauth = app.post("/token", form, &format!("grant_type={grant}&code={code}")).await;
    oauth.oauth_error(429, "temporarily_unavailable", "rate_limited");
    assert!(!oauth.header("retry-after").is_empty());
}

async fn clients_behind_a_trusted_proxy_are_told_apart(db: Database) {
    let builder = Builder::new(db).set("WEAUTH_RATE_LIMIT", "1").set("WEAUTH_TRUSTED_PROXIES", "127.0.0.0/8");
    let app = builder.start().await;
    let login = async |from: &str| {
        let request = app.request(Method::POST, "/login").header("X-Forwarded-For", from);
        let request = request.header("Content-Type", "application/json");
        let request = request.body(format!(r#"{{"code": "{}"}}"#, app.code_for("alice")));
        app.send(request).await.status.as_u16()
    };
    assert_eq!((login("192.0.2.1").await, login("192.0.2.1").await), (200, 429));
    assert_eq!((login("192.0.2.2").await, login("2001:db8::1").await), (200, 200));
    assert_eq!(login("2001:db8::2").await, 429);
}

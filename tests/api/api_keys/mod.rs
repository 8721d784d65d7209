//! API keys of backends: how they are created, presented and revoked, and what they grant.

mod lifetime;
mod presented;
mod refused;
mod terminal;

use crate::harness::{Answer, TestApp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::time::{Duration, Instant};

const SCOPE: &str = "tokens:introspect";

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

/// Works for a key that was revoked right after its use too.
async fn await_last_use(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while listed(app)[0]["last_used_at"].is_null() {
        assert!(Instant::now() < deadline, "the use is never written down");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! A ban, role change, logout or deletion made at the terminal takes effect on every server within a second, for good.

mod changes;
mod lasting;
mod races;

use crate::harness::{Answer, Login, TestApp};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long another process may take to learn of it.
const A_SECOND: Duration = Duration::from_secs(1);

const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n\
                     [roles.reader]\npermissions = [\"notes:read\"]\n";

/// Runs `weauth users …`, which must succeed; returns what it printed.
#[track_caller]
fn users(app: &TestApp, arguments: &[&str]) -> String {
    let finished = app.weauth(&[&["users"], arguments].concat());
    assert!(finished.status.success(), "{arguments:?}: {}", finished.said);
    finished.printed
}

/// The same, while the test continues.
async fn beside(app: &Arc<TestApp>, arguments: &[&str]) {
    let (app, arguments) = (app.clone(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let run = move || users(&app, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap();
}

/// Requests `/me` from the nodes until both answers match; they have a second.
async fn within_a_second(nodes: [&TestApp; 2], token: &str, so: impl Fn(&Answer) -> bool) {
    let began = Instant::now();
    for node in nodes {
        loop {
            let answer = node.me(token).await;
            if so(&answer) {
                break;
            }
            assert!(began.elapsed() < A_SECOND, "after a second still {} {}", answer.status, answer.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn refresh(app: &TestApp, login: &Login) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": login.refresh_token})).await
}

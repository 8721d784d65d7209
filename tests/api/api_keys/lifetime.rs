//! From when to when a key works, and what is known of its use.

use super::{SCOPE, ask, await_last_use, listed, revoke};
use crate::harness::{Builder, Database, Proxy, TestApp, on_both, on_postgres};
use serde_json::Value;
use std::time::{Duration, Instant};

on_both!(a_new_key_works_at_once_and_a_revoked_one_nowhere_within_a_second, the_last_use_is_shown);
on_postgres!(known_keys_outlive_the_database);

/// How long a node may take to learn of a revoked key.
const A_SECOND: Duration = Duration::from_secs(1);

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

async fn the_last_use_is_shown(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &[SCOPE]);
    assert_eq!(listed(&app)[0]["last_used_at"], Value::Null);
    ask(&app, &key).await.ok();
    await_last_use(&app).await;
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

//! A key ends: its last token has expired, it leaked, or its row is damaged.

use super::{kids, states, until, until_signed_by_another};
use crate::harness::{Database, Login, TestApp, on_both};
use crate::jwt;

on_both!(
    a_key_is_retired_when_its_last_token_has_ended,
    a_leaked_key_is_destroyed_at_once_on_every_node,
    a_leaked_key_of_refresh_tokens_is_replaced_on_every_node,
    a_damaged_key_costs_a_running_server_nothing,
);

async fn a_key_is_retired_when_its_last_token_has_ended(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let old = app.login("alice").await.access_token;
    let old_kid = jwt::header(&old)["kid"].as_str().unwrap().to_owned();
    app.me(&old).await.ok();

    let rotated = app.weauth(&["keys", "rotate", "--in", "0"]);
    assert!(rotated.said.contains("may refuse"), "what a sudden change means is said: {}", rotated.said);
    until_signed_by_another(&app, &old_kid).await;
    app.me(&old).await.ok();
    assert_eq!(states(&app, &["--all"]), ["signs", "verifies"]);

    // As if both had begun long ago: the last token of the old one has expired.
    db.execute(&format!(
        "UPDATE keys SET active_from = '2026-01-02 00:00:00' WHERE purpose = 'sign';
         UPDATE keys SET active_from = '2026-01-01 00:00:00' WHERE id = '{old_kid}'"
    ));
    until("the old key leaves the key set", async || kids(&app).await.len() == 1).await;
    assert!(!kids(&app).await.contains(&old_kid));
    app.me(&old).await.problem(401, "token_invalid");
    assert_eq!(states(&app, &[]), ["signs"]);
    assert_eq!(states(&app, &["--all"]), ["signs", "retired"]);
    assert_eq!(db.count("keys WHERE length(sealed) = 0 AND retired_at IS NOT NULL"), 1);
    assert_eq!(db.count("audit WHERE action = 'key.retire' AND actor = 'server'"), 1);
}

async fn a_leaked_key_is_destroyed_at_once_on_every_node(db: Database) {
    let app = TestApp::on(db).await;
    let other = app.second_node().await;
    let alice = app.login("alice").await;
    let leaked = jwt::header(&alice.access_token)["kid"].as_str().unwrap().to_owned();
    other.me(&alice.access_token).await.ok();

    let needed = app.weauth(&["keys", "retire", &leaked]);
    assert_eq!(needed.status.code(), Some(1), "{}", needed.said);
    assert!(needed.said.contains("rotate --in 0"), "{}", needed.said);
    let unknown = app.weauth(&["keys", "retire", "nobody"]);
    assert!(unknown.status.code() == Some(1) && unknown.said.contains("nobody"), "{}", unknown.said);

    assert!(app.weauth(&["keys", "rotate", "--in", "0"]).status.success());
    let retired = app.weauth(&["keys", "retire", &leaked]);
    assert!(retired.status.success(), "{}", retired.said);
    let again = app.weauth(&["keys", "retire", &leaked]);
    assert!(again.status.success() && again.printed.contains("was retired before"), "{}", again.said);

    for node in [&app, &other] {
        until("the leaked key's tokens are refused", async || {
            node.me(&alice.access_token).await.status == 401
        })
        .await;
        node.me(&alice.access_token).await.problem(401, "token_invalid");
        assert!(!kids(node).await.contains(&leaked));
    }
    let refresh = serde_json::json!({"refresh_token": alice.refresh_token});
    let refreshed = app.post_json("/token/refresh", refresh).await.ok();
    other.me(refreshed["access_token"].as_str().unwrap()).await.ok();
}

async fn a_leaked_key_of_refresh_tokens_is_replaced_on_every_node(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let nodes = [&app, &app.second_node().await];
    let alice = app.login("alice").await;
    let leaked = db.texts("SELECT id AS text FROM keys WHERE purpose = 'refresh'").remove(0);

    assert!(app.weauth(&["keys", "retire", &leaked]).status.success());

    let refresh = async |node: &TestApp, login: &Login| {
        node.post_json("/token/refresh", serde_json::json!({"refresh_token": login.refresh_token})).await
    };
    for node in nodes {
        until("what the leaked key made is refused", async || refresh(node, &alice).await.status == 401)
            .await;
        refresh(node, &alice).await.problem(401, "refresh_token_invalid");
        node.me(&alice.access_token).await.ok();
    }
    let again = app.login("alice").await;
    refresh(nodes[1], &again).await.ok();
    let standing = db.texts("SELECT id AS text FROM keys WHERE purpose = 'refresh' AND retired_at IS NULL");
    assert_eq!(standing.len(), 1, "of all nodes one has made the next key");
}

async fn a_damaged_key_costs_a_running_server_nothing(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    let first = jwt::header(&alice.access_token)["kid"].as_str().unwrap().to_owned();
    assert!(app.weauth(&["keys", "rotate", "--in", "0"]).status.success());
    until_signed_by_another(&app, &first).await;
    let bob = app.login("bob").await;
    let second = jwt::header(&bob.access_token)["kid"].as_str().unwrap().to_owned();

    db.execute(&format!("UPDATE keys SET sealed = {} WHERE id = '{second}'", db.bytes(&[0; 76])));
    app.wait_for_line("if it was read before, it stays in use");
    for token in [&alice.access_token, &bob.access_token, &app.login("carol").await.access_token] {
        app.me(token).await.ok();
    }

    // The damaged row prevents neither rotation nor retirement.
    assert!(app.weauth(&["keys", "rotate", "--in", "0"]).status.success());
    until_signed_by_another(&app, &second).await;
    assert!(app.weauth(&["keys", "retire", &first]).status.success());
    until("the retired key is gone", async || !kids(&app).await.contains(&first)).await;
    app.me(&alice.access_token).await.problem(401, "token_invalid");
    app.me(&bob.access_token).await.ok();
}

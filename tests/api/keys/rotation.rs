//! A new key signs, by hand, by age or for another algorithm, and nobody is refused.

use super::{Kept, kids, states, until};
use crate::harness::{Builder, Database, TestApp, master_key, on_both, on_sqlite};
use crate::jwt;
use serde_json::Value;
use std::time::{Duration, Instant};

on_both!(
    a_rotation_is_unnoticed_by_verifiers_who_keep_the_key_set_for_its_max_age,
    another_algorithm_comes_in_at_start_and_once,
    a_key_is_replaced_by_age_once_over_all_nodes,
    a_key_that_is_overtaken_before_it_signs_never_does,
);
on_sqlite!(the_master_key_must_fit_for_a_rotation);

async fn a_rotation_is_unnoticed_by_verifiers_who_keep_the_key_set_for_its_max_age(db: Database) {
    let app = TestApp::on(db).await;
    let nodes = [&app, &app.second_node().await];
    let before = app.login("alice").await.access_token;
    let rotated = app.weauth(&["keys", "rotate"]);
    assert!(rotated.status.success(), "{}", rotated.said);
    let kid = rotated.printed.split_whitespace().next().unwrap();

    let callers = (0..6).map(|caller| call_until_signed_by(kid, caller, nodes));
    futures_util::future::join_all(callers).await;

    for node in nodes {
        node.me(&before).await.ok();
    }
    assert_eq!(states(&app, &[]), ["signs", "verifies"]);
}

/// Logs in at one node and verifies each token at both, with their key sets both fresh and cached, until the key
/// with this id has signed some.
async fn call_until_signed_by(kid: &str, caller: usize, nodes: [&TestApp; 2]) {
    let mut kept = [Kept::fetch(nodes[0]).await, Kept::fetch(nodes[1]).await];
    let began = Instant::now();
    let mut signed_by_it = 0;
    while signed_by_it < 10 {
        assert!(began.elapsed() < Duration::from_secs(60), "{kid} does not sign within a minute");
        let token = nodes[caller % 2].login(&format!("person-{caller}")).await.access_token;
        let is_new = jwt::header(&token)["kid"] == *kid;
        assert!(is_new || signed_by_it == 0, "the node went back to the old key");
        signed_by_it += usize::from(is_new);
        for (kept, verifier) in kept.iter_mut().zip(nodes) {
            verifier.me(&token).await.ok();
            assert!(Kept::fetch(verifier).await.verifies(&token), "the key set lacks the key of a token");
            kept.renew_if_stale(verifier).await;
            assert!(kept.verifies(&token), "the key set, kept for its max-age, lacks the key of a token");
        }
        // More often around the moment when the key begins to sign.
        let pause = if began.elapsed() < Duration::from_secs(40) { 1000 } else { 100 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn another_algorithm_comes_in_at_start_and_once(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let before = app.login("alice").await.access_token;
    app.stop();

    let one = app.second_node_with("WEAUTH_SIGNING_ALGORITHM", "ES256").await;
    let two = app.second_node_with("WEAUTH_SIGNING_ALGORITHM", "ES256").await;

    assert_eq!(states(&app, &[]), ["next", "signs"]);
    assert_eq!(
        jwt::header(&one.login("alice").await.access_token)["alg"],
        "EdDSA",
        "the old one signs meanwhile"
    );
    db.execute("UPDATE keys SET active_from = '2026-01-01 00:00:00' WHERE algorithm = 'EdDSA'");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let a_minute_ago = weauth::Time::from_unix(now as i64 - 60).rfc3339();
    let a_minute_ago = a_minute_ago.trim_end_matches('Z').replace('T', " ");
    db.execute(&format!("UPDATE keys SET active_from = '{a_minute_ago}' WHERE algorithm = 'ES256'"));
    for (node, verifier) in [(&one, &two), (&two, &one)] {
        until("the node signs with ES256", async || {
            jwt::header(&node.login("alice").await.access_token)["alg"] == "ES256"
        })
        .await;
        let token = node.login("alice").await.access_token;
        verifier.me(&token).await.ok();
        verifier.me(&before).await.ok();
        let keys = Kept::fetch(verifier).await;
        assert!(keys.verifies(&token) && keys.verifies(&before));
    }
}

async fn a_key_is_replaced_by_age_once_over_all_nodes(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_KEY_MAX_AGE", "3600").start().await;
    let other = app.second_node().await;
    assert_eq!(kids(&app).await.len(), 1);

    db.execute("UPDATE keys SET active_from = '2026-01-01 00:00:00'");
    for node in [&app, &other] {
        until("the next key is published", async || kids(node).await.len() == 2).await;
    }
    // A second read by each node finds nothing more to do.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(states(&app, &["--all"]), ["next", "signs"]);
    assert_eq!(db.count("audit WHERE action = 'key.rotate' AND actor = 'server'"), 1);
}

async fn a_key_that_is_overtaken_before_it_signs_never_does(db: Database) {
    let app = TestApp::on(db).await;
    let rotate = |seconds| app.weauth(&["keys", "rotate", "--in", seconds]).printed;
    let overtaken = rotate("60");
    let newest = rotate("45");
    let listed: Value = serde_json::from_str(&app.weauth(&["keys", "list", "--json"]).printed).unwrap();
    let kids: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    let kid = |printed: &str| printed.split_whitespace().next().unwrap().to_owned();
    assert!(kids.contains(&&*kid(&newest)) && !kids.contains(&&*kid(&overtaken)), "{listed}");
    assert_eq!(kids.len(), 2, "{listed}");
}

async fn the_master_key_must_fit_for_a_rotation(db: Database) {
    let app = TestApp::on(db).await;
    for (given, named) in [("", "WEAUTH_MASTER_KEY"), (&*master_key(), "does not fit")] {
        let refused = app.weauth_with(&["keys", "rotate"], &[("WEAUTH_MASTER_KEY", given)]);
        assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
        assert!(refused.said.contains(named), "{}", refused.said);
    }
    for wrong in [["--in", "86401"], ["--in", "-1"], ["--in", "soon"]] {
        assert_eq!(app.weauth(&["keys", "rotate", wrong[0], wrong[1]]).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(states(&app, &["--all"]), ["signs"]);
}

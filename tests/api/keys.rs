//! Signing keys are rotated and retired without any verifier noticing.

use crate::harness::{Builder, Database, Login, TestApp, master_key, on_both, on_sqlite};
use crate::jwt;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use reqwest::Method;
use serde_json::Value;
use std::str::FromStr;
use std::time::{Duration, Instant};

on_both!(
    a_rotation_is_unnoticed_by_verifiers_who_keep_the_key_set_for_its_max_age,
    a_key_is_retired_when_its_last_token_has_ended,
    a_leaked_key_is_destroyed_at_once_on_every_node,
    a_leaked_key_of_refresh_tokens_is_replaced_on_every_node,
    a_damaged_key_costs_a_running_server_nothing,
    another_algorithm_comes_in_at_start_and_once,
    a_key_is_replaced_by_age_once_over_all_nodes,
    a_key_that_is_overtaken_before_it_signs_never_does,
);
on_sqlite!(
    tokens_of_every_algorithm_verify_with_the_published_key,
    the_key_set_is_answered_304_to_whoever_has_it,
    the_master_key_must_fit_for_a_rotation,
);

/// How long a node may take to learn of a change.
const WITHIN: Duration = Duration::from_secs(20);

const JWKS: &str = "/.well-known/jwks.json";

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

async fn a_damaged_key_costs_a_running_server_nothing(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    let first = jwt::header(&alice.access_token)["kid"].as_str().unwrap().to_owned();
    assert!(app.weauth(&["keys", "rotate", "--in", "0"]).status.success());
    until_signed_by_another(&app, &first).await;
    let bob = app.login("bob").await;
    let second = jwt::header(&bob.access_token)["kid"].as_str().unwrap().to_owned();

    db.execute(&format!("UPDATE keys SET sealed = {} WHERE id = '{second}'", db.bytes(&[0; 76])));
    app.wait_for_line("what is known of it from before stays");
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
    let a_minute_ago = weauth::domain::Clock::shifted(-60).now().rfc3339();
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

async fn tokens_of_every_algorithm_verify_with_the_published_key(_: Database) {
    for (algorithm, kty) in [("EdDSA", "OKP"), ("ES256", "EC"), ("RS256", "RSA")] {
        let app = Builder::new(Database::sqlite()).set("WEAUTH_SIGNING_ALGORITHM", algorithm).start().await;
        let token = app.login("alice").await.access_token;

        app.me(&token).await.ok();

        assert_eq!(jwt::header(&token)["alg"], algorithm);
        let keys = app.get(JWKS).await.json()["keys"].clone();
        assert_eq!((keys[0]["kty"].as_str(), keys[0]["alg"].as_str()), (Some(kty), Some(algorithm)));
        for private in ["d", "k", "p", "q", "dp", "dq", "qi"] {
            assert!(keys[0].get(private).is_none(), "a public key has no `{private}`");
        }
        assert!(Kept::fetch(&app).await.verifies(&token));
        let (start, end) = token.split_at(token.len() - 8);
        let tampered = format!("{start}{}", end.chars().rev().collect::<String>());
        assert!(!Kept::fetch(&app).await.verifies(&tampered));
        app.me(&tampered).await.problem(401, "token_invalid");
    }
}

async fn the_key_set_is_answered_304_to_whoever_has_it(db: Database) {
    let app = TestApp::on(db).await;
    let first = app.get(JWKS).await;
    assert_eq!(first.header("cache-control"), "public, max-age=30");
    let tag = first.header("etag").to_owned();
    let ask = |tag: &str| app.request(Method::GET, JWKS).header("If-None-Match", tag);

    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = app.send(ask(&known)).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(
            (again.header("etag"), again.header("cache-control")),
            (tag.as_str(), "public, max-age=30")
        );
    }
    for unknown in ["\"other\"", "nonsense"] {
        assert_eq!(app.send(ask(unknown)).await.json(), first.json(), "{unknown}");
    }
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

/// A key set as a verifier caches it: for exactly as long as `Cache-Control` says.
struct Kept {
    keys: JwkSet,
    stale_at: Instant,
}

impl Kept {
    async fn fetch(app: &TestApp) -> Self {
        let answer = app.get(JWKS).await;
        let seconds = answer.header("cache-control").rsplit_once("max-age=").unwrap().1.parse().unwrap();
        let stale_at = Instant::now() + Duration::from_secs(seconds);
        Self { keys: serde_json::from_str(&answer.text).unwrap(), stale_at }
    }

    async fn renew_if_stale(&mut self, app: &TestApp) {
        if Instant::now() >= self.stale_at {
            *self = Self::fetch(app).await;
        }
    }

    fn verifies(&self, token: &str) -> bool {
        let header = jwt::header(token);
        let Some(jwk) = self.keys.find(header["kid"].as_str().unwrap()) else { return false };
        let algorithm = Algorithm::from_str(&jwk.common.key_algorithm.unwrap().to_string()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.validate_aud = false;
        decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).is_ok()
    }
}

/// The states that `weauth keys list` shows, newest key first.
fn states(app: &TestApp, arguments: &[&str]) -> Vec<String> {
    let listed = app.weauth(&[&["keys", "list", "--json"], arguments].concat());
    assert!(listed.status.success(), "{}", listed.said);
    let listed: Value = serde_json::from_str(&listed.printed).unwrap();
    let state = |key: &Value| key["state"].as_str().unwrap().to_owned();
    listed["items"].as_array().unwrap().iter().map(state).collect()
}

/// The ids of the published keys.
async fn kids(app: &TestApp) -> Vec<String> {
    let keys = app.get(JWKS).await.json()["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn until_signed_by_another(app: &TestApp, kid: &str) {
    until("another key signs", async || jwt::header(&app.login("bob").await.access_token)["kid"] != *kid)
        .await;
}

async fn until(what: &str, mut seen: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !seen().await {
        assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! Access tokens: which are accepted, which are not, and how others verify them.

use crate::harness::{Answer, Builder, Database, Login, TestApp, on_both, on_sqlite};
use crate::jwt::{self, Forger};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both!(an_expired_token_says_so, both_nodes_take_each_others_tokens);
on_sqlite!(
    a_missing_token_is_missing,
    the_scheme_is_read_in_any_case,
    a_token_that_is_none_is_invalid,
    a_tampered_token_is_invalid,
    a_token_signed_by_someone_else_is_invalid,
    a_token_that_names_its_own_key_is_invalid,
    the_public_key_is_no_shared_secret,
    a_token_of_another_issuer_is_invalid,
    a_token_for_another_mini_program_is_invalid,
    a_refresh_token_is_no_access_token,
    the_published_keys_verify_tokens_and_sign_none,
);

async fn an_expired_token_says_so(db: Database) {
    let app = Builder::new(db).set("WEAUTH_ACCESS_TTL", "1").start().await;
    let login = app.login("alice").await;
    let deadline = Instant::now() + Duration::from_secs(15);

    let answer = loop {
        let answer = app.me(&login.access_token).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "a token of one second still works after 15");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };

    answer.problem(401, "token_expired");
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{answer:?}");
    assert_eq!(app.me(&login.access_token).await.code(), "token_expired", "and stays so");
}

async fn both_nodes_take_each_others_tokens(db: Database) {
    let one = TestApp::on(db).await;
    let two = one.second_node().await;
    let (alice, bob) = (one.login("alice").await, two.login("bob").await);

    assert_eq!(two.me(&alice.access_token).await.ok()["id"], alice.user_id());
    assert_eq!(one.me(&bob.access_token).await.ok()["id"], bob.user_id());
    let keys =
        [one.get("/.well-known/jwks.json").await.json(), two.get("/.well-known/jwks.json").await.json()];
    assert_eq!(keys[0], keys[1]);
}

async fn a_missing_token_is_missing(db: Database) {
    let app = TestApp::on(db).await;
    let token = app.login("alice").await.access_token;

    let missing = app.get("/me").await;
    missing.problem(401, "token_missing");
    assert!(
        !missing.header("www-authenticate").contains("error"),
        "RFC 6750 3.1: no error where no token came"
    );
    for elsewhere in [format!("/me?access_token={token}"), format!("/me?token={token}")] {
        let answer = app.get(&elsewhere).await;
        assert_ne!(answer.status, 200, "no token is taken from a URL");
    }
    for other in ["Basic YWxpY2U6c2VjcmV0", "Digest username=\"alice\"", &token] {
        let answer = with_authorization(&app, other).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        answer.problem(401, &answer.code());
    }
}

async fn the_scheme_is_read_in_any_case(db: Database) {
    let app = TestApp::on(db).await;
    let token = app.login("alice").await.access_token;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        with_authorization(&app, &format!("{scheme} {token}")).await.ok();
    }
}

async fn a_token_that_is_none_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let token = app.login("alice").await.access_token;
    let parts: Vec<&str> = token.split('.').collect();
    let long = "a".repeat(8000);
    for wrong in [
        "x",
        ".",
        "..",
        "...",
        "null",
        "undefined",
        "[object Object]",
        "\"quoted\"",
        "e30.e30.e30",
        "!.!.!",
        &long,
        parts[1],
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{token}.{}", parts[2]),
        &format!("{token}="),
        &format!("{token} {token}"),
        &format!("{token},"),
        &token[..token.len() - 4],
    ] {
        assert_invalid(&app, wrong).await;
    }
}

async fn a_tampered_token_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let (alice, bob) = (app.login("alice").await, app.login("bob").await);
    let parts: Vec<&str> = alice.access_token.split('.').collect();
    for (claim, value) in [
        ("sub", json!(bob.user_id())),
        ("sid", json!(bob.sid())),
        ("exp", json!(4_000_000_000_u64)),
        ("roles", json!(["admin"])),
        ("scope", json!("users:write")),
    ] {
        let mut claims = alice.claims();
        claims[claim] = value;
        let forged = format!("{}.{}.{}", parts[0], jwt::encode(claims.to_string().as_bytes()), parts[2]);
        assert_invalid(&app, &forged).await;
    }
    let of_bob = bob.access_token.split('.').nth(2).unwrap();
    assert_invalid(&app, &format!("{}.{}.{of_bob}", parts[0], parts[1])).await;
    let mut signature = jwt::decode(parts[2]);
    signature[0] ^= 1;
    assert_invalid(&app, &format!("{}.{}.{}", parts[0], parts[1], jwt::encode(&signature))).await;
    app.me(&alice.access_token).await.ok();
}

async fn a_token_signed_by_someone_else_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    let (header, claims) = (jwt::header(&login.access_token), login.claims());
    let forger = Forger::new();

    assert_invalid(&app, &forger.sign(&header, &claims)).await;
    for kid in
        [json!("another"), json!(""), json!("../../etc/passwd"), json!("' OR 1=1 --"), json!(7), Value::Null]
    {
        assert_invalid(&app, &forger.sign(&with(&header, "kid", kid), &claims)).await;
    }
    for algorithm in ["none", "None", "NONE", "nOnE", "", "ES256", "RS256", "HS512", "EdDSA "] {
        let header = with(&header, "alg", json!(algorithm));
        assert_invalid(&app, &forger.sign(&header, &claims)).await;
        assert_invalid(&app, &Forger::unsigned(&header, &claims)).await;
    }
}

async fn a_token_that_names_its_own_key_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    let (header, claims) = (jwt::header(&login.access_token), login.claims());
    let forger = Forger::new();
    for (name, value) in [
        ("jwk", forger.public_jwk()),
        ("jku", json!("https://attacker.test/jwks.json")),
        ("x5u", json!("https://attacker.test/key.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        assert_invalid(&app, &forger.sign(&with(&header, name, value), &claims)).await;
    }
}

async fn the_public_key_is_no_shared_secret(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    let key = app.get("/.well-known/jwks.json").await.json()["keys"][0].clone();
    let x = key["x"].as_str().unwrap();
    let raw = jwt::decode(x);
    let header = with(&jwt::header(&login.access_token), "alg", json!("HS256"));
    for secret in
        [raw.clone(), x.as_bytes().to_vec(), key.to_string().into_bytes(), jwt::ed25519_pem(&raw), vec![]]
    {
        assert_invalid(&app, &jwt::sign_hs256(&secret, &header, &login.claims())).await;
    }
}

async fn a_token_of_another_issuer_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let other = app.second_node_with("WEAUTH_PUBLIC_URL", "https://other.test").await;
    let (ours, theirs) = (app.login("alice").await, other.login("alice").await);

    assert_invalid(&app, &theirs.access_token).await;
    assert_invalid(&other, &ours.access_token).await;
    app.me(&ours.access_token).await.ok();
    other.me(&theirs.access_token).await.ok();
}

async fn a_token_for_another_mini_program_is_invalid(db: Database) {
    let app = TestApp::on(db).await;
    let other = app.second_node_with("WECHAT_APPID", &crate::harness::appid()).await;
    let login = app.login("alice").await;

    assert_invalid(&other, &login.access_token).await;
    app.me(&login.access_token).await.ok();
}

async fn a_refresh_token_is_no_access_token(db: Database) {
    let app = TestApp::on(db).await;
    let Login { refresh_token, .. } = app.login("alice").await;
    assert_invalid(&app, &refresh_token).await;
}

async fn the_published_keys_verify_tokens_and_sign_none(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;

    let answer = app.get("/.well-known/jwks.json").await;

    assert_eq!(answer.status, 200);
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    for key in &keys {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")), "{key}");
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("EdDSA")), "{key}");
        assert_eq!(key["x"].as_str().map(jwt::decode).map(|x| x.len()), Some(32), "{key}");
        for private in ["d", "k", "p", "q"] {
            assert!(key.get(private).is_none(), "a public key has no `{private}`");
        }
    }
    let header = jwt::header(&login.access_token);
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key that signed");
    let public = UnparsedPublicKey::new(&ED25519, jwt::decode(key["x"].as_str().unwrap()));
    let (message, signature) = login.access_token.rsplit_once('.').unwrap();
    public.verify(message.as_bytes(), &jwt::decode(signature)).expect("the signature is good");
}

async fn assert_invalid(app: &TestApp, token: &str) {
    let answer = app.me(token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "token_invalid"), "of {token}");
    answer.problem(401, "token_invalid");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains(r#"error="invalid_token""#), "RFC 6750 3.1: {challenge}");
}

async fn with_authorization(app: &TestApp, value: &str) -> Answer {
    app.send(app.request(Method::GET, "/me").header("Authorization", value)).await
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

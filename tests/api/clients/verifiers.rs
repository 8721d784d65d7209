//! The README's verifiers, verbatim, with valid and invalid tokens.

use super::programs::{Language, Workshop};
use crate::harness::{Builder, Database, TestApp, on_sqlite};
use crate::jwt::{self, Forger, sign_hs256};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

on_sqlite!(
    good_tokens_are_taken_and_bad_ones_are_not,
    a_token_is_taken_until_it_ends,
    only_whole_access_tokens_are_taken_even_from_the_issuer_itself,
);

async fn good_tokens_are_taken_and_bad_ones_are_not(db: Database) {
    // Without a public URL, the issuer is the address that the server is bound to.
    let app = Builder::new(db).set("WEAUTH_PUBLIC_URL", "").start().await;
    let elsewhere = app.second_node_with("WEAUTH_PUBLIC_URL", "https://elsewhere.test").await;
    let second = app.second_node_with("WEAUTH_PUBLIC_URL", &app.url).await;
    let login = app.login("alice").await;
    let bad = bad_tokens(&app, &elsewhere).await;
    let workshop = Workshop::new();
    for language in Language::ALL {
        let mut verifier = workshop.verifier(language, &app.url, &app.app().appid);
        assert_eq!(verifier.verify(&login.access_token).await.as_ref(), Ok(&login.claims()), "{language:?}");
        let token = second.login("bob").await.access_token;
        assert_eq!(verifier.verify(&token).await, Ok(jwt::claims(&token)), "{language:?}");
        for (what, token) in &bad {
            let refused = verifier.verify(token).await;
            assert!(refused.is_err(), "{language:?} takes {what}: {refused:?}");
        }
        assert!(verifier.verify(&login.access_token).await.is_ok(), "{language:?}");

        let mut stranger = workshop.verifier(language, &app.url, &crate::harness::appid());
        let refused = stranger.verify(&login.access_token).await.unwrap_err();
        assert!(refused.to_lowercase().contains("aud"), "{language:?}: {refused}");
    }
}

/// Tokens that nobody may accept, each with its name.
async fn bad_tokens(app: &TestApp, elsewhere: &TestApp) -> Vec<(&'static str, String)> {
    let login = app.login("mallory").await;
    let (header, claims) = (jwt::header(&login.access_token), login.claims());
    let (rest, signature) = login.access_token.rsplit_once('.').unwrap();
    let jwks = app.get("/.well-known/jwks.json").await.json();
    let public = jwt::decode(jwks["keys"][0]["x"].as_str().unwrap());
    let richer = jwt::encode(with(&claims, "roles", json!(["admin"])).to_string().as_bytes());
    let richer = format!("{}.{richer}.{signature}", rest.split('.').next().unwrap());
    let unsigned = Forger::unsigned(&with(&header, "alg", json!("none")), &claims);
    vec![
        ("an empty one", String::from(".")),
        ("a refresh token", login.refresh_token),
        ("one of another issuer", elsewhere.login("mallory").await.access_token),
        ("one of somebody else's key", Forger::new().sign(&header, &claims)),
        (
            "one of a key that is not there",
            Forger::new().sign(&with(&header, "kid", json!("nobody")), &claims),
        ),
        ("one without a signature", unsigned),
        ("one with changed claims", richer),
        (
            "one with the public key as a secret",
            sign_hs256(&public, &with(&header, "alg", json!("HS256")), &claims),
        ),
    ]
}

async fn a_token_is_taken_until_it_ends(db: Database) {
    let app = Builder::new(db).set("WEAUTH_PUBLIC_URL", "").set("WEAUTH_ACCESS_TTL", "3").start().await;
    let workshop = Workshop::new();
    for language in Language::ALL {
        let mut verifier = workshop.verifier(language, &app.url, &app.app().appid);
        assert!(verifier.verify("warm.up.please").await.is_err());
        let login = app.login("alice").await;
        assert!(verifier.verify(&login.access_token).await.is_ok(), "{language:?}");
        let deadline = Instant::now() + Duration::from_secs(20);
        let refused = loop {
            if let Err(refused) = verifier.verify(&login.access_token).await {
                break refused;
            }
            assert!(Instant::now() < deadline, "{language:?} takes a token of 3 seconds after 20");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert!(refused.to_lowercase().contains("exp"), "{language:?}: {refused}");
    }
}

async fn only_whole_access_tokens_are_taken_even_from_the_issuer_itself(_: Database) {
    let issuer = Issuer::start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k"});
    let claims = json!({"iss": issuer.url, "aud": "wx0123456789abcdef", "sub": "u", "exp": now + 600});
    let workshop = Workshop::new();
    for language in Language::ALL {
        let mut verifier = workshop.verifier(language, &issuer.url, "wx0123456789abcdef");
        let good = issuer.key.sign(&header, &claims);
        assert_eq!(verifier.verify(&good).await.as_ref(), Ok(&claims), "{language:?}");
        let mut bad = vec![
            (json!({"alg": "EdDSA", "kid": "k"}), claims.clone()),
            (with(&header, "typ", json!("JWT")), claims.clone()),
            (with(&header, "crit", json!(["b64"])), claims.clone()),
        ];
        for claim in ["iss", "aud", "sub", "exp"] {
            let mut without = claims.clone();
            without.as_object_mut().unwrap().remove(claim);
            bad.push((header.clone(), without));
        }
        for (header, claims) in bad {
            let refused = verifier.verify(&issuer.key.sign(&header, &claims)).await;
            assert!(refused.is_err(), "{language:?} takes {header} {claims}");
        }
    }
}

/// An issuer that signs anything, with its keys where a verifier looks for them.
struct Issuer {
    url: String,
    key: Forger,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Forger::new();
        let jwks = json!({"keys": [with(&key.public_jwk(), "kid", json!("k"))]}).to_string();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n")
                    && connection.read_buf(&mut request).await.is_ok_and(|read| read > 0)
                {}
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
                let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{jwks}", jwks.len());
                connection.write_all(answer.as_bytes()).await.ok();
            }
        });
        Self { url, key }
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

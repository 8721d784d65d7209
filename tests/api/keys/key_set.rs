//! The published key set: what verifiers download.

use super::{JWKS, Kept};
use crate::harness::{Builder, Database, TestApp, on_sqlite};
use crate::jwt;
use reqwest::Method;

on_sqlite!(
    tokens_of_every_algorithm_verify_with_the_published_key,
    the_key_set_is_answered_304_to_whoever_has_it,
);

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

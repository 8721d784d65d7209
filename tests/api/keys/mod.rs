//! Signing keys are rotated and retired without any verifier noticing.

mod key_set;
mod retiring;
mod rotation;

use crate::harness::TestApp;
use crate::jwt;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How long a node may take to learn of a change.
const WITHIN: Duration = Duration::from_secs(20);

const JWKS: &str = "/.well-known/jwks.json";

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

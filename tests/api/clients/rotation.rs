//! A key rotation, with the README's verifiers that keep running on cached keys.

use super::programs::{Language, Workshop};
use crate::harness::{Builder, Database, Login, TestApp, on_both};
use crate::jwt;
use std::time::{Duration, Instant};

on_both!(a_rotation_goes_unnoticed_by_those_who_keep_the_keys);

/// The seconds after which jose and PyJWT refetch keys. A rotation by default leaves more time than that.
const COOLDOWN: u32 = 31;

async fn a_rotation_goes_unnoticed_by_those_who_keep_the_keys(db: Database) {
    let app = Builder::new(db).set("WEAUTH_PUBLIC_URL", "").start().await;
    let workshop = Workshop::new();
    let old = app.login("alice").await;
    let mut verifiers = Language::ALL.map(|language| workshop.verifier(language, &app.url, &app.app().appid));
    for verifier in &mut verifiers {
        assert!(verifier.verify(&old.access_token).await.is_ok(), "now it has the keys");
    }

    let rotated = app.weauth(&["keys", "rotate", "--in", "1"]);
    assert!(rotated.status.success(), "{}", rotated.said);
    let new = login_with_another_key(&app, &old).await;

    for (language, verifier) in Language::ALL.iter().zip(&mut verifiers) {
        assert_eq!(verifier.verify(&old.access_token).await, Ok(old.claims()), "{language:?}");
        verifier.later(COOLDOWN).await;
        assert_eq!(verifier.verify(&new.access_token).await, Ok(new.claims()), "{language:?}");
        assert_eq!(verifier.verify(&old.access_token).await, Ok(old.claims()), "{language:?}");
    }
}

/// Logs in until the new key signs.
async fn login_with_another_key(app: &TestApp, before: &Login) -> Login {
    let kid = |login: &Login| jwt::header(&login.access_token)["kid"].clone();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let login = app.login("alice").await;
        if kid(&login) != kid(before) {
            return login;
        }
        assert!(Instant::now() < deadline, "the new key does not sign");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

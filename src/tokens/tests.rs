//! Invalid tokens with a valid signature of ours. Only a bug or a stolen key can produce them, but the
//! verifier must not rely on the signature alone (RFC 8725).

use super::{KeyRing, Revocations, SigningKey, TokenError, Verifier};
use crate::crypto::{MacKey, SigningAlgorithm, SigningKeyPair};
use crate::domain::{AppId, Clock, RefreshTokenMac, SessionId, Time};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;

const ISSUER: &str = "https://login.test";
/// Lifetime of an access token in seconds.
const LIFETIME: i64 = 7200;
const APP: &str = "wx0123456789abcdef";

/// A verifier, with a copy of its private key for the forger.
struct World {
    verifier: Verifier,
    key: SigningKey,
    revocations: Revocations,
}

impl World {
    fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    fn with_clock(clock: Clock) -> Self {
        const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EdDsa;
        let private = SigningKeyPair::generate_pkcs8(ALGORITHM).unwrap();
        let key = || SigningKey::from_pkcs8(ALGORITHM, &private, Time::from_unix(0)).unwrap();
        let refresh = RefreshTokenMac::new(MacKey::generate());
        let ring = KeyRing::new(ISSUER.into(), vec![Arc::new(key())], refresh).unwrap();
        let revocations = Revocations::default();
        let audience = vec![AppId::parse(APP).unwrap()];
        let verifier = Verifier::new(ring, audience, revocations.clone(), LIFETIME, clock);
        Self { verifier, key: key(), revocations }
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.key.id, "typ": "at+jwt"})
    }

    /// Signs any header and claims.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn verify(&self, token: &str) -> Result<(), TokenError> {
        self.verifier.verify(token).map(drop)
    }
}

fn now() -> i64 {
    Clock::system().now().unix()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user", "aud": APP, "client_id": APP, "iat": now(), "exp": now() + 7200,
        "jti": "token", "sid": "session", "roles": ["editor"], "scope": "posts:read posts:write",
    })
}

/// The object with one member changed, or removed if the value is `null`.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    }
    object
}

#[test]
fn what_we_would_sign_ourselves_is_good() {
    let world = World::new();
    assert_eq!(world.verify(&world.sign(&world.header(), &claims())), Ok(()));
    // RFC 9068 2.1: the long form of the type, case-insensitive; RFC 7519 4.1.3: several audiences.
    for typ in ["AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        let header = with(world.header(), "typ", json!(typ));
        assert_eq!(world.verify(&world.sign(&header, &claims())), Ok(()), "{typ}");
    }
    let several = with(claims(), "aud", json!(["another", APP]));
    assert_eq!(world.verify(&world.sign(&world.header(), &several)), Ok(()));
}

#[test]
fn a_good_signature_under_a_wrong_header_is_refused() {
    let world = World::new();
    for (name, value) in [
        ("typ", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("")),
        ("typ", json!("at+jwt; x")),
        ("typ", json!("rt+jwt")),
        ("typ", json!("id+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!(["at+jwt"])),
        ("alg", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("ES256")),
        ("alg", json!("HS256")),
        ("alg", json!("Ed448")),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!("another")),
        ("kid", json!(1)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
    ] {
        let token = world.sign(&with(world.header(), name, value.clone()), &claims());
        assert_eq!(world.verify(&token), Err(TokenError::Invalid), "{name} = {value}");
    }
}

#[test]
fn a_good_signature_over_wrong_claims_is_refused() {
    let world = World::new();
    for (name, value) in [
        ("iss", Value::Null),
        ("iss", json!("https://login.test/")),
        ("iss", json!("http://login.test")),
        ("iss", json!("https://LOGIN.test")),
        ("iss", json!([])),
        ("aud", Value::Null),
        ("aud", json!("")),
        ("aud", json!("wx1111111111111111")),
        ("aud", json!(["wx1111111111111111"])),
        ("aud", json!([])),
        ("sub", Value::Null),
        ("sub", json!(7)),
        ("client_id", Value::Null),
        ("sid", Value::Null),
        ("jti", Value::Null),
        ("roles", Value::Null),
        ("roles", json!("editor")),
        ("scope", Value::Null),
        ("scope", json!(["posts:read"])),
        ("iat", Value::Null),
        ("iat", json!(now() + 3600)),
        ("iat", json!(now() + 7300)),
        ("iat", json!(i64::MAX)),
        ("iat", json!("now")),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("exp", json!(now() - 1)), // not after iat: such a token was never valid
        ("exp", json!(1e300)),
        ("nbf", json!(now() + 3600)),
    ] {
        let token = world.sign(&world.header(), &with(claims(), name, value.clone()));
        assert_eq!(world.verify(&token), Err(TokenError::Invalid), "{name} = {value}");
    }
    for whole in [json!([]), json!("claims"), json!(7), Value::Null] {
        let token = world.sign(&world.header(), &whole);
        assert_eq!(world.verify(&token), Err(TokenError::Invalid), "{whole}");
    }
}

#[test]
fn the_clock_may_be_off_by_seconds_and_not_by_an_hour() {
    let token_of = |world: &World| world.sign(&world.header(), &claims());
    for (ahead, expected) in [
        (4, Ok(())),
        (-4, Ok(())),
        (-10, Err(TokenError::Invalid)), // issued in the future, by this clock
        (-3600, Err(TokenError::Invalid)),
        (3600, Ok(())),
        (7300, Err(TokenError::Expired)),
    ] {
        let world = World::with_clock(Clock::shifted(ahead));
        assert_eq!(world.verify(&token_of(&world)), expected, "{ahead} seconds ahead");
    }
}

#[test]
fn a_clock_that_is_set_back_makes_a_remembered_token_one_of_the_future() {
    let clock = Clock::system();
    let world = World::with_clock(clock.clone());
    let token = world.sign(&world.header(), &claims());
    let set = |seconds: i64| {
        let moment = std::time::Instant::now();
        clock.keep_to(Clock::system().now().plus_seconds(seconds), moment, moment);
        world.verify(&token)
    };
    assert_eq!(set(0), Ok(()));
    assert_eq!([set(-3), set(-3600), set(0)], [Ok(()), Err(TokenError::Invalid), Ok(())]);
}

#[test]
fn a_remembered_token_is_looked_at_again_each_time() {
    let world = World::new();
    let token = world.sign(&world.header(), &with(claims(), "exp", json!(now() + 1)));
    assert!(world.verifier.verify(&token).is_ok());
    world.revocations.add([(SessionId::from_stored("session"), Time::from_unix(now()))]);
    assert_eq!(world.verifier.verify(&token), Err(TokenError::Revoked));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.verifier.verify(&token) != Err(TokenError::Expired) {
        assert!(std::time::Instant::now() < deadline, "it never expired");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_remembered_of_one_token_says_nothing_of_another_that_ends_alike() {
    let world = World::new();
    let token = world.sign(&world.header(), &claims());
    let principal = world.verifier.verify(&token).unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    let message = world.sign(&world.header(), &with(claims(), "sub", json!("somebody else")));
    let (message, _) = message.rsplit_once('.').unwrap();
    for forged in [format!("{message}.{signature}"), format!("{token}."), signature.to_owned()] {
        assert_eq!(world.verifier.verify(&forged), Err(TokenError::Invalid), "{forged}");
    }
    assert_eq!(world.verifier.verify(&token), Ok(principal));
}

#[test]
fn verifiers_that_share_a_thread_share_nothing_they_remember() {
    let (ours, theirs) = (World::new(), World::new());
    let token = ours.sign(&ours.header(), &claims());
    for _ in 0..2 {
        assert!(ours.verifier.verify(&token).is_ok());
        assert_eq!(theirs.verifier.verify(&token), Err(TokenError::Invalid));
    }
}

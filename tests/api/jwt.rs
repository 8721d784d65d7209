//! Decodes access tokens and forges invalid ones.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The claims, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header, unverified.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// Encodes as base64url without padding, as JWTs do.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding.
pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64 without padding")
}

/// An attacker with a key of their own.
pub struct Forger(Ed25519KeyPair);

impl Forger {
    /// Makes a key that the server never saw.
    pub fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    /// A token with a valid signature by the wrong key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = encode(self.0.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    /// A token without a signature.
    pub fn unsigned(header: &Value, claims: &Value) -> String {
        format!("{}.", message(header, claims))
    }

    /// The public key, as a token's header could embed it.
    pub fn public_jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.0.public_key().as_ref())})
    }
}

/// A token with a valid HMAC under this secret.
pub fn sign_hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = encode(hmac::sign(&key, message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

/// An Ed25519 public key as PEM.
pub fn ed25519_pem(raw: &[u8]) -> Vec<u8> {
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410) is this prefix and the 32 bytes.
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let body = STANDARD.encode([prefix.as_slice(), raw].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").into_bytes()
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("a JWT has three parts");
    serde_json::from_slice(&decode(part)).expect("JSON")
}

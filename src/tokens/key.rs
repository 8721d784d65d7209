//! A signing key: the private half signs, the public half is published.

use crate::crypto::{KeyError, PublicParts, SigningAlgorithm, SigningKeyPair};
use crate::domain::Time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde_json::json;

/// A key that signs access tokens. `Debug` shows only its id.
pub struct SigningKey {
    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub id: String,
    /// Its algorithm. Tokens are verified with this one, whatever their header says (RFC 8725, 3.1).
    pub algorithm: SigningAlgorithm,
    /// When it starts to sign, unless a key with a later start is active.
    pub active_from: Time,
    private: SigningKeyPair,
    /// Verifies what the private part signed.
    pub(super) public: DecodingKey,
    /// The public key as published in the JWKS.
    pub(super) jwk: Jwk,
    /// The header of every token of this key, in base64url.
    header: String,
}

impl SigningKey {
    /// Parses a private key.
    pub fn from_pkcs8(
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
        active_from: Time,
    ) -> Result<Self, KeyError> {
        let private = SigningKeyPair::from_pkcs8(algorithm, pkcs8)?;
        let mut jwk = public_jwk(algorithm, &private.public_parts())?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Malformed)?;
        jwk.common.key_id = Some(id.clone());
        let public = DecodingKey::from_jwk(&jwk).map_err(|_| KeyError::Malformed)?;
        let header = json!({"alg": algorithm.as_str(), "kid": id, "typ": super::claims::ACCESS_TOKEN_TYPE});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self { id, algorithm, active_from, private, public, jwk, header })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.private.sign(message)
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn jwa(&self) -> jsonwebtoken::Algorithm {
        match self.algorithm {
            SigningAlgorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            SigningAlgorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            SigningAlgorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// The public key as a JWK (RFC 7517, RFC 7518 6, RFC 8037 2), without `kid`.
fn public_jwk(algorithm: SigningAlgorithm, parts: &PublicParts) -> Result<Jwk, KeyError> {
    let text = |bytes: &Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let mut jwk = match parts {
        PublicParts::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(x)}),
        PublicParts::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}),
        PublicParts::Rsa { n, e } => json!({"kty": "RSA", "n": text(n), "e": text(e)}),
    };
    jwk["use"] = json!("sig");
    jwk["alg"] = json!(algorithm.as_str());
    serde_json::from_value(jwk).map_err(|_| KeyError::Malformed)
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.algorithm.as_str())
    }
}

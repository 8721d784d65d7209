//! One signing key: the private part signs, the public part is shown to the world.

use crate::crypto::{InvalidKey, PublicParts, SigningAlgorithm, SigningKeyPair};
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
    /// How it signs. A token is verified by this, whatever the token itself says (RFC 8725, 3.1).
    pub algorithm: SigningAlgorithm,
    /// From when on it signs, unless a key that is active signs already and began later.
    pub active_from: Time,
    private: SigningKeyPair,
    /// Verifies what the private part signed.
    pub(super) public: DecodingKey,
    /// The public part as it stands in the JWKS.
    pub(super) jwk: Jwk,
    /// The base64url of the header that every token of this key begins with.
    header: String,
}

impl SigningKey {
    /// Reads a private key.
    pub fn from_pkcs8(
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
        active_from: Time,
    ) -> Result<Self, InvalidKey> {
        let private = SigningKeyPair::from_pkcs8(algorithm, pkcs8)?;
        let mut jwk = public_jwk(algorithm, &private.public_parts())?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| InvalidKey)?;
        jwk.common.key_id = Some(id.clone());
        let public = DecodingKey::from_jwk(&jwk).map_err(|_| InvalidKey)?;
        let header = json!({"alg": algorithm.as_str(), "kid": id, "typ": super::claims::ACCESS_TOKEN_TYPE});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self { id, algorithm, active_from, private, public, jwk, header })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, InvalidKey> {
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

/// The public part as a JWK (RFC 7517, RFC 7518 6, RFC 8037 2), without its id.
fn public_jwk(algorithm: SigningAlgorithm, parts: &PublicParts) -> Result<Jwk, InvalidKey> {
    let text = |bytes: &Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let mut jwk = match parts {
        PublicParts::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(x)}),
        PublicParts::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}),
        PublicParts::Rsa { n, e } => json!({"kty": "RSA", "n": text(n), "e": text(e)}),
    };
    jwk["use"] = json!("sig");
    jwk["alg"] = json!(algorithm.as_str());
    serde_json::from_value(jwk).map_err(|_| InvalidKey)
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.algorithm.as_str())
    }
}

//! One signing key: the private part signs, the public part is shown to the world.

use crate::crypto;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{JwtSigner, aws_lc};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{DecodingKey, EncodingKey};

/// How access tokens are signed (RFC 8725 3.1: the verifier chooses, not the token).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037): small, fast, nothing to choose wrong.
    EdDsa,
}

impl Algorithm {
    /// The JWA name (RFC 7518, RFC 8037).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a JWA name.
    pub fn parse(name: &str) -> Option<Self> {
        (name == "EdDSA").then_some(Self::EdDsa)
    }

    pub(super) fn jwa(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A private key that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored signing key is malformed")]
pub struct InvalidKey;

/// A key that signs access tokens. `Debug` shows only its id.
pub struct SigningKey {
    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub id: String,
    /// How it signs.
    pub algorithm: Algorithm,
    private: EncodingKey,
    /// Verifies what the private part signed.
    pub(super) public: DecodingKey,
    /// The public part as it stands in the JWKS.
    pub(super) jwk: Jwk,
    /// The base64url of the header that every token of this key begins with.
    header: String,
}

impl SigningKey {
    /// A fresh private key as PKCS#8, to be sealed and stored.
    pub fn generate(algorithm: Algorithm) -> Vec<u8> {
        match algorithm {
            Algorithm::EdDsa => crypto::generate_ed25519(),
        }
    }

    /// Reads a private key.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        let private = match algorithm {
            Algorithm::EdDsa if crypto::is_ed25519(pkcs8) => EncodingKey::from_ed_der(pkcs8),
            Algorithm::EdDsa => return Err(InvalidKey),
        };
        let mut jwk = Jwk::from_encoding_key(&private, algorithm.jwa()).map_err(|_| InvalidKey)?;
        let id = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).map_err(|_| InvalidKey)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(|_| InvalidKey)?;
        let header = serde_json::json!({"alg": algorithm.as_str(), "kid": id, "typ": super::claims::ACCESS_TOKEN_TYPE});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self { id, algorithm, private, public, jwk, header })
    }

    /// A signer that has the key parsed. It stays on its thread.
    pub(super) fn signer(&self) -> Result<Box<dyn JwtSigner>, InvalidKey> {
        (aws_lc::DEFAULT_PROVIDER.signer_factory)(&self.algorithm.jwa(), &self.private)
            .map_err(|_| InvalidKey)
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.algorithm.as_str())
    }
}

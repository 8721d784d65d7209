//! Key pairs that sign access tokens.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};

/// The signing algorithm of access tokens, by its JWA name (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningAlgorithm {
    /// `EdDSA` with Ed25519: small, fast, and without parameters to get wrong.
    #[default]
    EdDsa,
    /// `ES256`, ECDSA on P-256 with SHA-256: for verifiers without EdDSA.
    Es256,
    /// `RS256`, RSA with 2048 bits and SHA-256: supported by every verifier, and the slowest to sign.
    Rs256,
}

/// A text is not the name of a supported algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of EdDSA, ES256, RS256")]
pub struct UnknownAlgorithm;

impl SigningAlgorithm {
    /// The JWA name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Parses a JWA name.
    pub fn parse(name: &str) -> Result<Self, UnknownAlgorithm> {
        let all = [Self::EdDsa, Self::Es256, Self::Rs256];
        all.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(UnknownAlgorithm)
    }
}

/// Why there is no signing key, or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A private key can't be parsed.
    #[error("the signing key is malformed")]
    Malformed,
    /// No key could be generated.
    #[error("no signing key could be generated")]
    NotGenerated,
    /// A key did not sign.
    #[error("the signing key did not sign")]
    NotSigned,
    /// There is no key.
    #[error("there is no signing key")]
    Missing,
}

/// A private key, parsed once and shared by all threads. `Debug` does not show it.
pub struct SigningKeyPair(Kind);

enum Kind {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// The public half of a key pair, in the parts of a JWK, big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicParts {
    /// An Ed25519 key: 32 bytes (RFC 8037, 2).
    Ed25519(Vec<u8>),
    /// A point on P-256, 32 bytes each (RFC 7518, 6.2).
    P256 {
        /// The x coordinate.
        x: Vec<u8>,
        /// The y coordinate.
        y: Vec<u8>,
    },
    /// An RSA key, without leading zeros (RFC 7518, 6.3).
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
}

impl SigningKeyPair {
    /// Generates a private key as PKCS#8 (RFC 5958), to be sealed and stored.
    ///
    /// RSA can take some tenths of a second on a busy machine.
    pub fn generate_pkcs8(algorithm: SigningAlgorithm) -> Result<Vec<u8>, KeyError> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let document = match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate()
                .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair))
                .map(|der| der.as_ref().to_vec()),
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|document| document.as_ref().to_vec()),
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair))
                .map(|der| der.as_ref().to_vec()),
        };
        document.map_err(|_| KeyError::NotGenerated)
    }

    /// Parses a private key of this algorithm; a key of another algorithm is an error.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let kind = match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Kind::Ed25519),
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Kind::P256)
            }
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Kind::Rsa),
        };
        kind.map(Self).map_err(|_| KeyError::Malformed)
    }

    /// Signs a message in the format of a JWS (RFC 7518 3.3 and 3.4, RFC 8037 3.1).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0 {
            Kind::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Kind::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::NotSigned)?;
                Ok(signature.as_ref().to_vec())
            }
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| KeyError::NotSigned)?;
                Ok(signature)
            }
        }
    }

    /// The public key.
    pub fn public_parts(&self) -> PublicParts {
        match &self.0 {
            Kind::Ed25519(pair) => PublicParts::Ed25519(pair.public_key().as_ref().to_vec()),
            Kind::P256(pair) => {
                // An uncompressed point (SEC 1, 2.3.3): the byte 4, then both coordinates.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                PublicParts::P256 { x: x.to_vec(), y: y.to_vec() }
            }
            Kind::Rsa(pair) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                PublicParts::Rsa { n: parts.n, e: parts.e }
            }
        }
    }
}

impl std::fmt::Debug for SigningKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeyPair")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SigningAlgorithm; 3] =
        [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256];

    #[test]
    fn a_generated_key_is_unique_and_read_as_what_it_is_only() {
        for algorithm in ALL {
            let [one, two] = [(); 2].map(|()| SigningKeyPair::generate_pkcs8(algorithm).unwrap());
            assert_ne!(one, two);
            for other in ALL {
                let read = SigningKeyPair::from_pkcs8(other, &one);
                assert_eq!(read.is_ok(), algorithm == other, "{algorithm:?} as {other:?}");
            }
            assert!(SigningKeyPair::from_pkcs8(algorithm, &one[1..]).is_err());
            assert!(SigningKeyPair::from_pkcs8(algorithm, &[]).is_err());
        }
    }

    #[test]
    fn algorithms_are_named_as_jwa_names_them() {
        for algorithm in ALL {
            assert_eq!(SigningAlgorithm::parse(algorithm.as_str()), Ok(algorithm));
        }
        for wrong in ["", "eddsa", "HS256", "none", "RS512"] {
            assert_eq!(SigningAlgorithm::parse(wrong), Err(UnknownAlgorithm));
        }
    }
}

//! The cryptographic primitives. The only module that names `aws_lc_rs`.

mod digest;
mod key_pair;
mod mac;
mod master_key;

pub use digest::{hex, sha1_hex, sha256_hex};
pub use key_pair::{InvalidKey, PublicParts, SigningAlgorithm, SigningKeyPair, UnknownAlgorithm};
pub use mac::{MacKey, hmac_sha256_hex};
pub use master_key::{InvalidMasterKey, MasterKeys, Sealed, UnsealError};

/// Returns bytes from the operating system's random number generator.
///
/// # Panics
/// If the generator fails, because nothing would be safe without it.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness nothing here is safe")]
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Are two secrets equal? Compares in constant time; only their lengths may leak.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

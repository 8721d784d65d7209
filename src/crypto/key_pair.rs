//! Key pairs for signing access tokens.

use super::random_bytes;
use aws_lc_rs::signature::Ed25519KeyPair;

/// A fresh Ed25519 private key, as PKCS#8 (RFC 8410).
pub fn generate_ed25519() -> Vec<u8> {
    let seed = random_bytes::<32>();
    // The fixed head of a PKCS#8 v1 document that holds an Ed25519 seed (RFC 8410, 7).
    const HEAD: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    [&HEAD[..], &seed[..]].concat()
}

/// Does this PKCS#8 document hold an Ed25519 key?
pub fn is_ed25519(pkcs8: &[u8]) -> bool {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_well_formed_and_unique() {
        let (one, two) = (generate_ed25519(), generate_ed25519());
        assert!(is_ed25519(&one) && is_ed25519(&two));
        assert_ne!(one, two);
        assert!(!is_ed25519(&one[1..]));
    }
}

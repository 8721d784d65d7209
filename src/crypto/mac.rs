//! HMAC-SHA-256 (RFC 2104).

use super::hex;
use aws_lc_rs::hmac;

/// A key for HMAC-SHA-256. `Debug` does not show it.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Generates a random key.
    #[cfg(test)]
    pub fn generate() -> Self {
        Self::from_bytes(&super::random_bytes::<32>())
    }

    /// A key from stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Computes the MAC of a message: 32 bytes.
    pub fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        hmac::sign(&self.0, message)
    }

    /// Is this the MAC of that message? Compares in constant time.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, message, code).is_ok()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

/// HMAC-SHA-256 in lowercase hexadecimal, as WeChat's session endpoints expect it.
pub fn hmac_sha256_hex(key: &[u8], message: &[u8]) -> String {
    hex(MacKey::from_bytes(key).sign(message).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_published_login_state_signature() {
        let signature = hmac_sha256_hex(b"o0q0otL8aEzpcZL/FT9WsQ==", br#"{"foo":"bar"}"#);
        assert_eq!(signature, "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b");
        let of_nothing = hmac_sha256_hex(b"o0q0otL8aEzpcZL/FT9WsQ==", b"");
        assert_eq!(of_nothing, "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128");
    }
}

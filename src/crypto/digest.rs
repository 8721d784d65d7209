//! Digests. Those that are text are in lowercase hexadecimal.

use aws_lc_rs::digest;

/// SHA-256.
pub fn sha256_hex(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, data).as_ref())
}

/// The first half of a SHA-256: enough where nobody gains by two inputs that agree in it.
pub fn sha256_half(data: &[u8]) -> u128 {
    let digest = digest::digest(&digest::SHA256, data);
    digest.as_ref().iter().take(16).fold(0, |half, byte| half << 8 | u128::from(*byte))
}

/// SHA-1, for WeChat's `rawData` and message-push signatures only.
pub fn sha1_hex(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref())
}

/// Bytes as lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256_half(b"abc"), 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223);
        assert_eq!(sha1_hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}

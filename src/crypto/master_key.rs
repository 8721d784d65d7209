//! The master key, which encrypts the secrets in the database: session keys and private keys.
//!
//! Values are encrypted with AES-256-GCM and a fresh nonce each. The row's identity is the associated data,
//! so that a value copied into another row does not decrypt there. During a rotation there are two keys: the
//! first one encrypts, and both decrypt.

use super::random_bytes;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// An encrypted value: nonce, ciphertext and tag, concatenated.
pub type Sealed = Vec<u8>;

/// Why a text is not a master key; never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKey {
    /// Not the base64 of 32 bytes.
    #[error("a master key is the base64 of 32 bytes: make one with `openssl rand -base64 32`")]
    Form,
    /// A key that anybody would guess.
    #[error(
        "this master key is an example, which can be guessed: make a random one with `openssl rand -base64 32` (if \
         the database is encrypted with this one: the new key, a comma, this key, and then `weauth keys reencrypt`)"
    )]
    Example,
    /// More than two keys.
    #[error("at most two master keys: the new one, a comma, the old one")]
    TooMany,
}

/// A sealed value does not decrypt: it was sealed with another key, changed, or moved to another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value does not open under this master key")]
pub struct UnsealError;

/// The key that seals, and optionally an older one that still opens. `Debug` does not show them.
#[derive(Clone)]
pub struct MasterKeys(Arc<[LessSafeKey]>);

impl MasterKeys {
    /// Parses one key, or a new and an old one separated by a comma. An example is refused as the key that seals,
    /// but not as the old one: that is how a database gets rid of it.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let texts: Vec<&str> = text.split(',').map(str::trim).collect();
        let keys: Vec<[u8; 32]> = texts.iter().map(|key| decode(key)).collect::<Result<_, _>>()?;
        if keys.len() > 2 {
            return Err(InvalidMasterKey::TooMany);
        }
        if is_example(&keys[0]) {
            return Err(InvalidMasterKey::Example);
        }
        let ciphers = keys.iter().map(|key| UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new));
        ciphers.collect::<Result<_, _>>().map(Self).map_err(|_| InvalidMasterKey::Form)
    }

    /// Is there an older key?
    pub(crate) fn has_older(&self) -> bool {
        self.0.len() > 1
    }

    /// Generates a key as text, for `weauth dev` and tests.
    pub(crate) fn generate_text() -> String {
        STANDARD.encode(random_bytes::<32>())
    }

    /// Encrypts a value for the row that `row` identifies.
    ///
    /// # Panics
    /// If the value is longer than 64 GiB.
    #[doc(hidden)] // Public for tests/api/master_key.rs.
    pub fn seal(&self, row: &str, plain: &[u8]) -> Sealed {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let aad = Aad::from(row.as_bytes());
        let sealing = self.0[0].seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body);
        #[expect(clippy::expect_used, reason = "what is not sealed must not be stored as if it were")]
        sealing.expect("a value of less than 64 GiB");
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Decrypts a value of the row that `row` identifies, with whichever key fits.
    pub(crate) fn open(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, UnsealError> {
        self.0.iter().find_map(|key| open_with(key, row, sealed)).ok_or(UnsealError)
    }

    /// Was this value sealed with the current key? If not, it has to be resealed.
    pub(crate) fn is_current(&self, row: &str, sealed: &[u8]) -> bool {
        open_with(&self.0[0], row, sealed).is_some()
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKeys({})", self.0.len())
    }
}

fn decode(text: &str) -> Result<[u8; 32], InvalidMasterKey> {
    let bytes = STANDARD.decode(text).map_err(|_| InvalidMasterKey::Form)?;
    bytes.try_into().map_err(|_| InvalidMasterKey::Form)
}

/// Is this key one of those that documentation is full of: bytes that are alike or count, or text that says so?
///
/// Of random keys, fewer than one in 10^13 are such.
fn is_example(key: &[u8; 32]) -> bool {
    let step = key[1].wrapping_sub(key[0]);
    let counts = key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    let text = String::from_utf8_lossy(key).to_ascii_lowercase();
    counts || ["change-me", "change_me", "changeme", "example"].iter().any(|word| text.contains(word))
}

fn open_with(key: &LessSafeKey, row: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = body.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(row.as_bytes()), &mut body).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_in_its_own_row_and_under_its_own_key() {
        let keys = MasterKeys::parse(&MasterKeys::generate_text()).unwrap();
        let sealed = keys.seal("row 1", b"secret");
        assert_eq!(keys.open("row 1", &sealed).unwrap(), b"secret");
        assert_eq!(keys.open("row 2", &sealed), Err(UnsealError));
        let other = MasterKeys::parse(&MasterKeys::generate_text()).unwrap();
        assert_eq!(other.open("row 1", &sealed), Err(UnsealError));
        for cut in 0..sealed.len() {
            assert_eq!(keys.open("row 1", &sealed[..cut]), Err(UnsealError));
        }
    }

    #[test]
    fn an_older_key_still_opens() {
        let (old, new) = (MasterKeys::generate_text(), MasterKeys::generate_text());
        let sealed = MasterKeys::parse(&old).unwrap().seal("row", b"secret");
        let both = MasterKeys::parse(&format!("{new},{old}")).unwrap();
        assert_eq!(both.open("row", &sealed).unwrap(), b"secret");
        assert!(both.has_older() && !MasterKeys::parse(&old).unwrap().has_older());
        assert!(!both.is_current("row", &sealed));
        assert!(both.is_current("row", &both.seal("row", b"secret")));
    }

    #[test]
    fn malformed_and_example_keys_are_refused() {
        assert_eq!(MasterKeys::parse("").unwrap_err(), InvalidMasterKey::Form);
        assert_eq!(MasterKeys::parse("c2hvcnQ=").unwrap_err(), InvalidMasterKey::Form);
        let counting: [u8; 32] = std::array::from_fn(|i| i as u8);
        let words = *b"Change-Me-change-me-change-me-32";
        for example in [[0; 32], counting, words].map(|bytes| STANDARD.encode(bytes)) {
            assert_eq!(MasterKeys::parse(&example).unwrap_err(), InvalidMasterKey::Example, "{example}");
        }
        let three =
            [MasterKeys::generate_text(), MasterKeys::generate_text(), MasterKeys::generate_text()].join(",");
        assert_eq!(MasterKeys::parse(&three).unwrap_err(), InvalidMasterKey::TooMany);
    }

    #[test]
    fn an_example_that_was_in_use_can_be_replaced() {
        let (new, example) =
            (MasterKeys::generate_text(), STANDARD.encode(b"change-me-change-me-change-me-32"));
        assert!(MasterKeys::parse(&format!("{new},{example}")).is_ok());
        assert_eq!(MasterKeys::parse(&format!("{example},{new}")).unwrap_err(), InvalidMasterKey::Example);
    }
}

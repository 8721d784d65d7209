//! Signatures and encryption of message pushes, WeChat's calls to the developer's server (page
//! `framework/server-ability/message-push`).

use crate::crypto::sha1_hex;
use crate::domain::AppId;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Pushes are padded to a multiple of 32 bytes, although AES's block size is 16.
const PADDING_BLOCK: usize = 32;

/// The text is not an EncodingAESKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an EncodingAESKey is the 43 base64 characters that WeChat's console shows")]
pub struct InvalidEncodingAesKey;

/// The key of secure mode. `Debug` does not show it.
#[derive(Clone)]
pub struct EncodingAesKey([u8; 32]);

impl EncodingAesKey {
    /// Parses the 43 base64 characters that WeChat's console shows.
    pub fn parse(text: &str) -> Result<Self, InvalidEncodingAesKey> {
        // 43 characters encode two bits more than 32 bytes need, and WeChat does not zero them.
        let config = GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone);
        let bytes = GeneralPurpose::new(&alphabet::STANDARD, config).decode(text);
        let bytes = bytes.map_err(|_| InvalidEncodingAesKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidEncodingAesKey)
    }

    /// WeChat uses the first half of the key as the initialisation vector.
    fn iv(&self) -> [u8; 16] {
        std::array::from_fn(|i| self.0[i])
    }
}

impl std::fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncodingAesKey")
    }
}

/// The `signature` of the URL check and of plain pushes: SHA-1, in lowercase hex, over the sorted parts.
pub fn url_signature(token: &str, timestamp: &str, nonce: &str) -> String {
    signature_of([token, timestamp, nonce])
}

/// The `msg_signature` of secure mode, which also covers the ciphertext.
pub fn message_signature(token: &str, timestamp: &str, nonce: &str, encrypted: &str) -> String {
    signature_of([token, timestamp, nonce, encrypted])
}

fn signature_of<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    sha1_hex(parts.concat().as_bytes())
}

/// Encrypts a message for an app. `random` must be 16 fresh random bytes.
pub fn encrypt(message: &[u8], app: &AppId, key: &EncodingAesKey, random: [u8; 16]) -> String {
    let appid = app.as_str().as_bytes();
    // Never saturates: a push has a few kilobytes at most.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut buffer = [&random, &length[..], message, appid].concat();
    let padding = PADDING_BLOCK - buffer.len() % PADDING_BLOCK;
    // 1..=32 fits into a byte.
    buffer.resize(buffer.len() + padding, padding as u8);
    let plain_length = buffer.len();
    let encrypted = cbc::Encryptor::<aes::Aes256>::new(&key.0.into(), &key.iv().into())
        .encrypt_padded::<NoPadding>(&mut buffer, plain_length);
    // Never fails: the buffer consists of whole blocks.
    encrypted.map(|encrypted| STANDARD.encode(encrypted)).unwrap_or_default()
}

/// Decrypts the `Encrypt` field of a push; `None` if it is not for this app or under another key.
#[cfg(test)]
pub fn decrypt(encrypted: &str, app: &AppId, key: &EncodingAesKey) -> Option<Vec<u8>> {
    use aes::cipher::BlockModeDecrypt;
    let mut buffer = STANDARD.decode(encrypted).ok()?;
    let padded = cbc::Decryptor::<aes::Aes256>::new(&key.0.into(), &key.iv().into())
        .decrypt_padded::<NoPadding>(&mut buffer)
        .ok()?;
    let padding = usize::from(*padded.last()?);
    let plain = padded
        .get(..padded.len().checked_sub(padding)?)
        .filter(|_| (1..=PADDING_BLOCK).contains(&padding))?;
    let (header, rest) = plain.split_at_checked(16 + 4)?;
    let length = u32::from_be_bytes(header[16..].try_into().ok()?);
    let (message, appid) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (appid == app.as_str().as_bytes()).then(|| message.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCRYPT: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";

    fn published() -> (AppId, EncodingAesKey) {
        (AppId::parse("wxba5fad812f8e6fb9").unwrap(), EncodingAesKey::parse(&"A".repeat(43)).unwrap())
    }

    #[test]
    fn the_published_url_checks_are_signed_so() {
        assert_eq!(
            url_signature("AAAAA", "1714036504", "1514711492"),
            "f464b24fc39322e44b38aa78f5edd27bd1441696"
        );
        assert_eq!(
            url_signature("AAAAA", "1714037059", "486452656"),
            "899cf89e464efb63f54ddac96b0a0a235f53aa78"
        );
    }

    #[test]
    fn the_published_push_is_verified_and_decrypted() {
        let (app, key) = published();
        let signature = message_signature("AAAAA", "1714112445", "415670741", ENCRYPT);
        assert_eq!(signature, "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3");
        let message = decrypt(ENCRYPT, &app, &key).unwrap();
        assert_eq!(message.len(), 167);
        assert!(String::from_utf8(message).unwrap().contains("debug_demo"));
    }

    #[test]
    fn the_published_reply_is_encrypted_to_the_letter() {
        let (app, key) = published();
        let encrypted = encrypt(br#"{"demo_resp":"good luck"}"#, &app, &key, *b"707722b803182950");
        assert_eq!(
            encrypted,
            "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
        );
        let signature = message_signature("AAAAA", "1713424427", "415670741", &encrypted);
        assert_eq!(signature, "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1");
    }

    #[test]
    fn every_length_of_padding_is_understood() {
        let (app, key) = published();
        for length in 0..64 {
            let message = vec![b'm'; length];
            let encrypted = encrypt(&message, &app, &key, [7; 16]);
            assert_eq!(decrypt(&encrypted, &app, &key), Some(message));
        }
    }

    #[test]
    fn a_push_for_another_app_or_under_another_key_is_refused() {
        let (app, key) = published();
        let other = AppId::parse("wx0123456789abcdef").unwrap();
        assert_eq!(decrypt(ENCRYPT, &other, &key), None);
        let other_key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ").unwrap();
        assert_eq!(decrypt(ENCRYPT, &app, &other_key), None);
        for wrong in ["", "AAAA", "?", &ENCRYPT[..64]] {
            assert_eq!(decrypt(wrong, &app, &key), None, "{wrong}");
        }
    }

    #[test]
    fn an_encoding_aes_key_has_43_characters_and_its_last_bits_do_not_matter() {
        assert!(EncodingAesKey::parse(&format!("{}B", "A".repeat(42))).is_ok());
        for wrong in [String::new(), "A".repeat(42), "A".repeat(44), format!("{}=", "A".repeat(43))] {
            assert_eq!(EncodingAesKey::parse(&wrong).unwrap_err(), InvalidEncodingAesKey, "{wrong}");
        }
    }
}

//! Open data: what a mini-program reads from WeChat and forwards, signed and encrypted under the user's
//! session key (page `framework/open-ability/signature`).
//!
//! AES-CBC does not authenticate: with a wrong key, decryption sometimes passes the padding check and yields
//! garbage. So every failure, from base64 to the watermark, is the same [`OpenDataError`]: either the session
//! key is stale or the data is not ours, and the sender learns no more than that.

use crate::crypto::sha1_hex;
use crate::domain::SessionKey;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The open data can't be trusted or read under this session key; deliberately does not say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the open data does not fit this session: call wx.login and ask for the data again")]
pub struct OpenDataError;

/// Open data as returned by `wx.getUserInfo` and similar functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedData {
    /// The ciphertext in base64.
    pub encrypted_data: String,
    /// The initialisation vector: 16 bytes in base64.
    pub iv: String,
}

/// The signature of `rawData`: SHA-1, in lowercase hex, over the text and the session key in base64.
pub fn raw_data_signature(raw_data: &str, key: &SessionKey) -> String {
    sha1_hex(&[raw_data.as_bytes(), key.expose().as_bytes()].concat())
}

/// Decrypts open data without checking its content: the padding is checked, the watermark is not.
#[cfg(test)]
pub fn decrypt(data: &EncryptedData, key: &SessionKey) -> Result<Vec<u8>, OpenDataError> {
    use aes::cipher::BlockModeDecrypt;
    let mut buffer = decode(&data.encrypted_data)?;
    let iv = bytes_of(&data.iv)?;
    let plain = cbc::Decryptor::<aes::Aes128>::new(&bytes_of(key.expose())?.into(), &iv.into())
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| OpenDataError)?;
    Ok(plain.to_vec())
}

/// Encrypts like WeChat; fails if the session key is not 16 bytes in base64.
pub fn encrypt(plain: &[u8], key: &SessionKey, iv: [u8; 16]) -> Result<EncryptedData, OpenDataError> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 16, 0);
    let encrypted = cbc::Encryptor::<aes::Aes128>::new(&bytes_of(key.expose())?.into(), &iv.into())
        .encrypt_padded::<Pkcs7>(&mut buffer, plain.len())
        .map_err(|_| OpenDataError)?;
    Ok(EncryptedData { encrypted_data: STANDARD.encode(encrypted), iv: STANDARD.encode(iv) })
}

fn bytes_of(base64: &str) -> Result<[u8; 16], OpenDataError> {
    decode(base64)?.try_into().map_err(|_| OpenDataError)
}

/// Accepts a space for a `+`, as form decoding turns one into the other.
fn decode(base64: &str) -> Result<Vec<u8>, OpenDataError> {
    STANDARD.decode(base64.replace(' ', "+")).map_err(|_| OpenDataError)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}"#;
    const CIPHER: &str = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==";

    fn published() -> (EncryptedData, SessionKey) {
        let data =
            EncryptedData { encrypted_data: CIPHER.to_owned(), iv: "r7BXXKkLb8qrSNn05n0qiA==".to_owned() };
        (data, SessionKey::parse("tiihtNczf5v6AKRyjwEUhQ==").unwrap())
    }

    #[test]
    fn the_published_signature_is_that_of_the_published_raw_data() {
        let key = SessionKey::parse("HyVFkGl5F5OQWJZZaNzBBg==").unwrap();
        let raw = r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#;
        assert_eq!(raw_data_signature(raw, &key), "75e81ceda165f4ffa64f4068af58c64b8f54b88c");
    }

    #[test]
    fn the_published_open_data_decrypts_and_encrypts_again_to_itself() {
        let (data, key) = published();
        assert_eq!(decrypt(&data, &key).unwrap(), PLAIN.as_bytes());
        let iv = bytes_of(&data.iv).unwrap();
        assert_eq!(encrypt(PLAIN.as_bytes(), &key, iv).unwrap(), data);
    }

    #[test]
    fn whatever_is_wrong_the_error_is_the_same() {
        let (data, key) = published();
        let other = SessionKey::parse("HyVFkGl5F5OQWJZZaNzBBg==").unwrap();
        let short = SessionKey::parse("c2hvcnQ=").unwrap();
        assert_eq!(decrypt(&data, &other), Err(OpenDataError));
        assert_eq!(decrypt(&data, &short), Err(OpenDataError));
        let through_a_form = EncryptedData { encrypted_data: CIPHER.replace('+', " "), ..data.clone() };
        assert_eq!(decrypt(&through_a_form, &key).unwrap(), PLAIN.as_bytes());
        for wrong in ["", "AAAA", "not base64"] {
            let wrong = EncryptedData { encrypted_data: wrong.to_owned(), ..data.clone() };
            assert_eq!(decrypt(&wrong, &key), Err(OpenDataError));
        }
        let wrong = EncryptedData { iv: "AAAA".to_owned(), ..data };
        assert_eq!(decrypt(&wrong, &key), Err(OpenDataError));
    }
}

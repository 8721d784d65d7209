//! Makes keys, sealed for the database.

use crate::crypto::{KeyError, MasterKeys, SigningAlgorithm, SigningKeyPair, random_bytes};
use crate::domain::Time;
use crate::store::{KeyPurpose, NewKey};
use crate::tokens::SigningKey;

/// Makes a signing key, for tokens that live at most `token_seconds`. RSA takes some tenths of a second: do not
/// call this on a thread that others wait for.
pub fn new_signing_key(
    master: &MasterKeys,
    algorithm: SigningAlgorithm,
    token_seconds: i64,
) -> Result<NewKey, KeyError> {
    let private = SigningKeyPair::generate_pkcs8(algorithm)?;
    let id = SigningKey::from_pkcs8(algorithm, &private, Time::from_unix(0))?.id;
    Ok(NewKey {
        sealed: master.seal(&NewKey::seal_row(&id), &private),
        id,
        purpose: KeyPurpose::Sign,
        algorithm: algorithm.as_str().to_owned(),
        token_seconds,
    })
}

/// Makes a key for refresh tokens.
pub(super) fn new_refresh_key(master: &MasterKeys) -> NewKey {
    let id = uuid::Uuid::now_v7().simple().to_string();
    NewKey {
        sealed: master.seal(&NewKey::seal_row(&id), &random_bytes::<32>()),
        id,
        purpose: KeyPurpose::Refresh,
        algorithm: "HS256".to_owned(),
        token_seconds: 0,
    }
}

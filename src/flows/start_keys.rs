//! The server's keys at start: made on the first start, opened with the master key on every other.

use crate::actors::Db;
use crate::crypto::{MacKey, MasterKeys, random_bytes};
use crate::domain::{Clock, RefreshTokenMac};
use crate::store::{KeyPurpose, LoadKeys, NewKey, StoreError, StoreFirstKeys, StoredKey};
use crate::tokens::{Algorithm, KeyRing, SigningKey};

/// Why the keys are not there.
#[derive(Debug, thiserror::Error)]
pub enum StartKeysError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys in the database were sealed under another master key.
    #[error(
        "WEAUTH_MASTER_KEY does not fit this database: its keys were sealed under another one. Set the key this \
         database was made with; to replace it, give the new and the old one separated by a comma"
    )]
    MasterKey,
    /// A key opened but is none.
    #[error("the stored key {0} is malformed")]
    Malformed(String),
}

/// Loads the keys, or makes the first ones. `issuer` is the public URL of this server.
pub async fn start_keys(
    db: &Db,
    master: &MasterKeys,
    issuer: String,
    clock: Clock,
) -> Result<KeyRing, StartKeysError> {
    let mut stored = db.run(LoadKeys).await?;
    if stored.is_empty() {
        let keys = first_keys(master)?;
        stored = db.commit(StoreFirstKeys { keys, at: clock.now() }).await?;
    }
    let (refresh, sign): (Vec<_>, Vec<_>) =
        stored.into_iter().partition(|key| key.purpose == KeyPurpose::Refresh);
    let signing = sign.iter().map(|key| open_signing_key(key, master)).collect::<Result<_, _>>()?;
    let refresh = refresh.last().ok_or_else(|| StartKeysError::Malformed("for refresh tokens".into()))?;
    let refresh = RefreshTokenMac::new(MacKey::from_bytes(&unseal(refresh, master)?));
    KeyRing::new(issuer, signing, refresh).map_err(|_| StartKeysError::Malformed("for access tokens".into()))
}

fn first_keys(master: &MasterKeys) -> Result<Vec<NewKey>, StartKeysError> {
    let algorithm = Algorithm::EdDsa;
    let private = SigningKey::generate(algorithm);
    let key = SigningKey::from_pkcs8(algorithm, &private)
        .map_err(|_| StartKeysError::Malformed("just made".into()))?;
    let sign = NewKey {
        sealed: master.seal(&row(&key.id), &private),
        id: key.id,
        purpose: KeyPurpose::Sign,
        algorithm: algorithm.as_str().to_owned(),
    };
    let id = uuid::Uuid::now_v7().simple().to_string();
    let refresh = NewKey {
        sealed: master.seal(&row(&id), &random_bytes::<32>()),
        id,
        purpose: KeyPurpose::Refresh,
        algorithm: "HS256".to_owned(),
    };
    Ok(vec![sign, refresh])
}

/// The row identity under which a key is sealed.
fn row(id: &str) -> String {
    format!("key:{id}")
}

fn unseal(key: &StoredKey, master: &MasterKeys) -> Result<Vec<u8>, StartKeysError> {
    master.open(&row(&key.id), &key.sealed).map_err(|_| StartKeysError::MasterKey)
}

fn open_signing_key(key: &StoredKey, master: &MasterKeys) -> Result<SigningKey, StartKeysError> {
    let malformed = || StartKeysError::Malformed(key.id.clone());
    let algorithm = Algorithm::parse(&key.algorithm).ok_or_else(malformed)?;
    SigningKey::from_pkcs8(algorithm, &unseal(key, master)?).map_err(|_| malformed())
}

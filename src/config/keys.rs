//! Settings for the signing keys and for the master key that seals them.

use super::mistakes::Mistakes;
use super::reader::Reader;
use super::settings::{WEAUTH_ACCESS_TTL, WEAUTH_KEY_MAX_AGE, WEAUTH_MASTER_KEY, WEAUTH_SIGNING_ALGORITHM};
use super::sources::Sources;
use crate::crypto::{MasterKeys, SigningAlgorithm};

/// The policy for signing keys. By default: EdDSA, rotated only by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyConfig {
    /// The algorithm that signs access tokens (`WEAUTH_SIGNING_ALGORITHM`).
    pub signing_algorithm: SigningAlgorithm,
    /// The age in seconds at which a key is replaced (`WEAUTH_KEY_MAX_AGE`); 0: never.
    pub max_age: u32,
}

impl KeyConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let signing_algorithm = reader.text(&WEAUTH_SIGNING_ALGORITHM, SigningAlgorithm::parse);
        let max_age = reader.number(&WEAUTH_KEY_MAX_AGE);
        Some(Self { signing_algorithm: signing_algorithm?, max_age: max_age? })
    }
}

/// Settings for a command that seals or opens keys.
#[derive(Debug, Clone)]
pub struct KeyCommandConfig {
    /// The keys to seal and open with (`WEAUTH_MASTER_KEY`).
    pub master_keys: MasterKeys,
    /// The policy for new keys.
    pub keys: KeyConfig,
    /// The lifetime of an access token in seconds (`WEAUTH_ACCESS_TTL`).
    pub access_ttl: u32,
}

impl KeyCommandConfig {
    /// Reads only these settings.
    pub fn for_command(sources: &Sources) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let master_keys = read_master_keys(reader);
        let keys = KeyConfig::read(reader);
        let access_ttl = reader.number(&WEAUTH_ACCESS_TTL);
        Some(Self { master_keys: master_keys?, keys: keys?, access_ttl: access_ttl? })
    }
}

/// Reads the master key, which has no default.
pub(super) fn read_master_keys(reader: &mut Reader<'_>) -> Option<MasterKeys> {
    if !reader.is_given(&WEAUTH_MASTER_KEY) {
        reader.missing(&WEAUTH_MASTER_KEY, "make one with `openssl rand -base64 32` and keep it safe");
    }
    reader.text(&WEAUTH_MASTER_KEY, MasterKeys::parse)
}

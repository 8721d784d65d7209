//! The database settings.

use super::log::LogConfig;
use super::mistakes::Mistakes;
use super::reader::Reader;
use super::settings::{DATABASE_URL, WEAUTH_DATABASE_CONNECTIONS};
use super::sources::Sources;
use crate::domain::DatabaseUrl;

/// Settings for the store.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The database's URL (`DATABASE_URL`).
    pub url: DatabaseUrl,
    /// Reading connections in the pool (`WEAUTH_DATABASE_CONNECTIONS`).
    pub connections: u32,
}

impl DatabaseConfig {
    /// Reads only the settings for a command that works on the database alone.
    pub(crate) fn for_command(sources: &Sources) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        let log = LogConfig::read(&mut reader);
        reader.finish(read.filter(|_| log.is_some()))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.text(&DATABASE_URL, DatabaseUrl::parse);
        let connections = reader.number(&WEAUTH_DATABASE_CONNECTIONS);
        Some(Self { url: url?, connections: connections? })
    }
}

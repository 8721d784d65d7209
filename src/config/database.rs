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

    /// Which setting the URL of [`for_command`](Self::for_command) is from, and what gives another.
    pub(crate) fn origin(sources: &Sources) -> String {
        let (key, file) = (DATABASE_URL.key(), &sources.file_name);
        if sources.variable(DATABASE_URL.variable).is_some() {
            return format!("from {}", DATABASE_URL.variable);
        }
        if sources.key(&key).is_some() {
            return format!("from {key} in {file}");
        }
        let lacking =
            if sources.table().is_some() { format!("no {key} in {file}") } else { format!("no {file} here") };
        format!(
            "the default, as there is {lacking} and no DATABASE_URL: set that, or name the file with --config"
        )
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.text(&DATABASE_URL, DatabaseUrl::parse);
        let connections = reader.number(&WEAUTH_DATABASE_CONNECTIONS);
        Some(Self { url: url?, connections: connections? })
    }
}

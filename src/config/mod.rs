//! The configuration: read once, from a TOML file and the environment, into small structs for the parts of the
//! program. The environment overrides the file; all mistakes are reported at once.

mod apps;
mod database;
mod keys;
mod log;
mod mistakes;
mod nearest;
mod reader;
mod roles;
mod server;
pub mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod tokens;
mod urls;

pub use self::log::{LogConfig, LogFormat};
pub use apps::WeChatConfig;
pub use database::DatabaseConfig;
pub use keys::{KeyCommandConfig, KeyConfig};
pub use mistakes::{Mistake, Mistakes};
pub use roles::roles_for_command;
pub use server::{ServerConfig, parse_listen, parse_loopback};
pub use sources::Sources;
pub use tokens::TokenConfig;

use crate::crypto::MasterKeys;
use crate::domain::RolePolicy;
use reader::Reader;
use settings::{WEAUTH_DATABASE_CONNECTIONS, WEAUTH_MAX_IN_FLIGHT};
use std::net::SocketAddr;

/// All that `weauth serve` needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database.
    pub database: DatabaseConfig,
    /// WeChat and the mini-programs.
    pub wechat: WeChatConfig,
    /// The HTTP server.
    pub server: ServerConfig,
    /// Lifetimes.
    pub tokens: TokenConfig,
    /// The signing keys.
    pub keys: KeyConfig,
    /// The keys that encrypt secrets at rest (`WEAUTH_MASTER_KEY`).
    pub master_keys: MasterKeys,
    /// Which permissions each role grants (`[roles.NAME]`).
    pub roles: RolePolicy,
    /// Logging.
    pub log: LogConfig,
}

impl Config {
    /// Reads what production needs, or reports everything that is wrong or missing.
    pub fn for_serve(sources: &Sources) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        // Everything is read before the first `?`, so that every mistake is found.
        let database = DatabaseConfig::read(reader);
        let wechat = WeChatConfig::read(reader);
        let server = ServerConfig::read(reader);
        let tokens = TokenConfig::read(reader);
        let keys = KeyConfig::read(reader);
        let master_keys = keys::read_master_keys(reader);
        let roles = roles::read_roles(reader);
        let log = LogConfig::read(reader);
        Some(Self {
            database: database?,
            wechat: wechat?,
            server: server?,
            tokens: tokens?,
            keys: keys?,
            master_keys: master_keys?,
            roles,
            log: log?,
        })
    }
}

/// The settings that `weauth dev` uses; it ignores those for production's database, apps, keys and proxies.
#[derive(Debug, Clone)]
pub struct DevConfig {
    /// The HTTP server: on a loopback address, with no public URL and no proxies.
    pub server: ServerConfig,
    /// Lifetimes.
    pub tokens: TokenConfig,
    /// Which permissions each role grants (`[roles.NAME]`).
    pub roles: RolePolicy,
    /// Reading connections to the database (`WEAUTH_DATABASE_CONNECTIONS`).
    pub database_connections: u32,
    /// Logins that may wait for WeChat at once (`WEAUTH_MAX_IN_FLIGHT`).
    pub max_in_flight: usize,
}

impl DevConfig {
    /// Reads it; `listen` is the address of `--listen`, which overrides the setting.
    pub fn for_dev(sources: &Sources, listen: Option<SocketAddr>) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader, listen);
        reader.finish(read)
    }

    fn read(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<Self> {
        let server = ServerConfig::read_dev(reader, listen);
        let tokens = TokenConfig::read(reader);
        let roles = roles::read_roles(reader);
        let database_connections = reader.number(&WEAUTH_DATABASE_CONNECTIONS);
        let max_in_flight = reader.number(&WEAUTH_MAX_IN_FLIGHT);
        LogConfig::read(reader)?;
        Some(Self {
            server: server?,
            tokens: tokens?,
            roles,
            database_connections: database_connections?,
            max_in_flight: max_in_flight? as usize,
        })
    }
}

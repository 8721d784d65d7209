//! Where and how the server listens.

use super::reader::Reader;
use super::settings::{
    MAX_WORKERS, WEAUTH_LISTEN, WEAUTH_MAX_CONNECTIONS, WEAUTH_PUBLIC_URL, WEAUTH_RATE_LIMIT,
    WEAUTH_TRUSTED_PROXIES, WEAUTH_WORKERS,
};
use super::urls::parse_public_url;
use crate::domain::Cidr;
use std::net::SocketAddr;

/// Settings for the HTTP server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address to listen on (`WEAUTH_LISTEN`); port 0 takes a free one.
    pub listen: SocketAddr,
    /// The issuer of tokens, without a trailing slash (`WEAUTH_PUBLIC_URL`); `None`: `http://` and the address
    /// that was bound.
    pub public_url: Option<String>,
    /// The proxies whose `X-Forwarded-For` is trusted (`WEAUTH_TRUSTED_PROXIES`).
    pub trusted_proxies: Vec<Cidr>,
    /// Logins per minute from one address (`WEAUTH_RATE_LIMIT`); 0: unlimited; `None`: not set.
    pub rate_limit: Option<u32>,
    /// Threads that serve HTTP (`WEAUTH_WORKERS`); the number of cores by default.
    pub workers: usize,
    /// Connections open at once over all workers (`WEAUTH_MAX_CONNECTIONS`).
    pub max_connections: usize,
}

/// A text is not an address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an address and a port: give them like `127.0.0.1:8080` or `[::]:8080`")]
pub struct InvalidListen;

/// Reads `ADDRESS:PORT`; `localhost` stands for 127.0.0.1, other names are refused.
pub fn parse_listen(text: &str) -> Result<SocketAddr, InvalidListen> {
    let localhost = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    localhost.as_deref().unwrap_or(text).parse().map_err(|_| InvalidListen)
}

/// Reads the same for `weauth dev`, which other machines must not reach.
pub fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address = parse_listen(text).map_err(|error| error.to_string())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("`weauth dev` is open to everyone who reaches it: give a loopback address like 127.0.0.1:8080, or use \
         `weauth serve`"
        .to_owned())
}

impl ServerConfig {
    /// Reads all of it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.text(&WEAUTH_LISTEN, parse_listen);
        let public_url = reader.text(&WEAUTH_PUBLIC_URL, parse_public_url);
        let trusted_proxies = reader.list(&WEAUTH_TRUSTED_PROXIES, Cidr::parse);
        let rate_limit = reader.number(&WEAUTH_RATE_LIMIT);
        let limits = read_limits(reader);
        let (workers, max_connections) = limits?;
        Some(Self {
            listen: listen?,
            public_url,
            trusted_proxies: trusted_proxies?,
            rate_limit,
            workers,
            max_connections,
        })
    }

    /// Reads what `weauth dev` uses: it listens on a loopback address only, behind no proxy.
    pub(super) fn read_dev(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<Self> {
        let listen = listen.or_else(|| reader.text(&WEAUTH_LISTEN, parse_loopback));
        let rate_limit = reader.number(&WEAUTH_RATE_LIMIT);
        let (workers, max_connections) = read_limits(reader)?;
        let trusted_proxies = Vec::new();
        Some(Self {
            listen: listen?,
            public_url: None,
            trusted_proxies,
            rate_limit,
            workers,
            max_connections,
        })
    }
}

/// Reads the number of workers and of connections.
fn read_limits(reader: &mut Reader<'_>) -> Option<(usize, usize)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS as usize);
    let workers = reader.number(&WEAUTH_WORKERS).map_or(cores, |number| number as usize);
    let max_connections = reader.number(&WEAUTH_MAX_CONNECTIONS)?;
    Some((workers, max_connections as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_address_has_an_address_and_a_port() {
        for good in ["127.0.0.1:8080", "0.0.0.0:0", "[::1]:80", "localhost:8080"] {
            assert!(parse_listen(good).is_ok(), "{good}");
        }
        for wrong in ["", ":8080", "8080", "127.0.0.1", "127.0.0.1:65536", "example.com:80", "localhost:"] {
            assert_eq!(parse_listen(wrong), Err(InvalidListen), "{wrong}");
        }
    }
}

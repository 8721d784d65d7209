//! Where a request came from, as far as a session remembers it.

use std::net::IpAddr;

/// The most of a `User-Agent` that is kept, in characters.
pub const MAX_USER_AGENT: usize = 1024;

/// The caller's address and program.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    /// The address of the client, looked up through trusted proxies only.
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header, cut at [`MAX_USER_AGENT`] characters.
    pub user_agent: Option<String>,
}

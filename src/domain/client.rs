//! The origin of a request, as recorded with a session and told in the log.

use std::net::IpAddr;

/// Longest `User-Agent` that is kept, in characters.
pub const MAX_USER_AGENT: usize = 1024;

/// The caller's address and user agent, and the request's id.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    /// The client's address; forwarding headers count only from trusted proxies.
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header, truncated to [`MAX_USER_AGENT`] characters.
    pub user_agent: Option<String>,
    /// The id of the request, for the log.
    pub request_id: String,
}

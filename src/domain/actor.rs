//! Who performs an action, as recorded in the audit log.

use super::{ApiKeyName, UserId};
use std::net::IpAddr;

/// Longest operating-system user name that is kept, in characters.
const MAX_NAME: usize = 64;

/// Somebody who acts, and the address they act from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    name: String,
    ip: Option<IpAddr>,
}

impl Actor {
    /// A user acting on their own account.
    pub fn user(user: &UserId, ip: Option<IpAddr>) -> Self {
        Self { name: user.to_string(), ip }
    }

    /// Whoever runs the command at the server's terminal, with their operating-system user name where known.
    pub fn terminal(name: Option<&str>) -> Self {
        let visible = |c: &char| !c.is_control() && !c.is_whitespace();
        let name: String = name.unwrap_or_default().chars().filter(visible).take(MAX_NAME).collect();
        let name = if name.is_empty() { "terminal".to_owned() } else { format!("terminal:{name}") };
        Self { name, ip: None }
    }

    /// The server itself.
    pub fn server() -> Self {
        Self { name: "server".to_owned(), ip: None }
    }

    /// A backend with an API key.
    pub fn api_key(name: &ApiKeyName, ip: Option<IpAddr>) -> Self {
        Self { name: format!("api_key:{name}"), ip }
    }

    /// The name in the audit log: a user's id, `terminal`, `terminal:NAME`, `api_key:NAME` or `server`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address the actor connects from, if any.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_is_named_by_its_user() {
        assert_eq!(Actor::terminal(Some("root")).name(), "terminal:root");
        assert_eq!(Actor::terminal(None).name(), "terminal");
        assert_eq!(Actor::terminal(Some("\n\u{1b}")).name(), "terminal");
        assert_eq!(Actor::terminal(Some(&"x".repeat(100))).name().len(), "terminal:".len() + 64);
    }
}

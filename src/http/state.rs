//! The state that the handlers use.

use super::problem::{ErrorCode, Problem};
use crate::actors::Db;
use crate::domain::{Cidr, ClientInfo, MAX_USER_AGENT, client_address};
use crate::flows::{
    ApiKeys, Background, Introspection, LoginBrake, Sessions, SignIn, TokenRevocation, Users,
};
use crate::tokens::Verifier;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, USER_AGENT, X_FORWARDED_FOR};
use std::net::IpAddr;
use std::sync::Arc;

/// The parts behind the handlers. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Signs users in.
    pub sign_in: SignIn,
    /// Refreshes, lists and ends sessions.
    pub sessions: Sessions,
    /// Finds users.
    pub users: Users,
    /// Introspects tokens for backends.
    pub introspection: Introspection,
    /// Ends sessions by their tokens.
    pub token_revocation: TokenRevocation,
    /// Knows the backends' API keys.
    pub api_keys: ApiKeys,
    /// Verifies tokens and holds the keys.
    pub tokens: Verifier,
    /// For the readiness check, which needs no flow.
    pub db: Db,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Arc<[Cidr]>,
    /// Limits the rate of logins per address.
    pub login_brake: LoginBrake,
    /// What goes on beside the requests: is it well?
    pub background: Background,
}

impl HttpState {
    pub(super) fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        request.app_data::<Self>().ok_or_else(|| Problem::new(ErrorCode::NotFound))
    }

    /// The address of the client.
    pub(super) fn client_ip(&self, request: &HttpRequest) -> Option<IpAddr> {
        let socket = request.peer_addr()?.ip();
        let forwarded = request.headers().get_all(X_FORWARDED_FOR).map(HeaderValue::as_bytes);
        Some(client_address(socket, forwarded, &self.trusted_proxies))
    }

    /// Where a request came from.
    pub(super) fn client_info(&self, request: &HttpRequest) -> ClientInfo {
        let user_agent = request.headers().get(USER_AGENT).map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .filter(|c| *c != '\0')
                .take(MAX_USER_AGENT)
                .collect()
        });
        ClientInfo { ip: self.client_ip(request), user_agent }
    }
}

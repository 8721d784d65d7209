//! The state that the handlers use.

use super::problem::{ErrorCode, Problem};
use super::request_id::RequestId;
use crate::actors::Db;
use crate::domain::{Cidr, ClientInfo, MAX_USER_AGENT, client_address};
use crate::flows::{
    ApiKeys, Background, Introspection, LoginBrake, Sessions, SignIn, TokenRevocation, Users,
};
use crate::tokens::Verifier;
use actix_web::http::header::{HeaderValue, USER_AGENT, X_FORWARDED_FOR};
use actix_web::{HttpMessage, HttpRequest};
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
        held_by_app(request, "a route of weauth is in an App without weauth's state")
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
        let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
        ClientInfo { ip: self.client_ip(request), user_agent, request_id: id.unwrap_or_default() }
    }
}

/// What the handlers need of their `App`. Without it the server was put together wrongly, as `mistake` says. That is
/// not the token's fault: the client should not discard it for this.
pub(super) fn held_by_app<'a, T: 'static>(request: &'a HttpRequest, mistake: &str) -> Result<&'a T, Problem> {
    request.app_data().ok_or_else(|| {
        let detail = (
            "This server is not put together as it should be; see its log.",
            "本服务器的组装有误（见日志）。",
        );
        Problem::with_detail(ErrorCode::Overloaded, detail).caused_by(mistake)
    })
}

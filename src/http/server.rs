//! The HTTP server: limits, and a graceful shutdown that finishes accepted requests.

use super::access::Access;
use super::arrival::{TO_ARRIVE, note_connection};
use super::routes::routes;
use super::state::HttpState;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Longer than the keep-alive of common proxies (nginx: 60 s), so that the proxy closes the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How many seconds accepted requests have to finish when the server stops.
const SHUTDOWN_SECONDS: u64 = 30;

/// How the server listens.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// Threads that serve requests.
    pub workers: usize,
    /// Connections open at once, over all workers.
    pub max_connections: usize,
}

/// Routes besides weauth's own, for `weauth dev`.
pub type MoreRoutes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// Serves weauth on a listener. `more` adds routes besides weauth's.
pub fn start(
    listener: TcpListener,
    state: HttpState,
    settings: ServerSettings,
    more: Option<MoreRoutes>,
) -> std::io::Result<Server> {
    let app = move || {
        let more = more.clone();
        let state = state.clone();
        App::new().wrap(Access).configure(move |cfg| {
            if let Some(more) = more {
                more(cfg);
            }
            routes(&state, cfg);
        })
    };
    Ok(HttpServer::new(app)
        .workers(settings.workers)
        .max_connections(settings.max_connections.div_ceil(settings.workers.max(1)))
        .client_request_timeout(TO_ARRIVE)
        .on_connect(note_connection)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run())
}

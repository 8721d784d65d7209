//! A WeChat of our own: it answers WeChat's URLs as WeChat does, quirks and failures included, and lets
//! a test or a developer hand out codes, turn keys and break things through `/simulator/…`.
//!
//! Everything lives in memory. Ids derive from names, so `alice` has the same openid after a restart. What
//! WeChat does not document is a switch ([`AppSwitches`]), never a guess to rely on.
//!
//! `endpoints/` holds WeChat's side, `control/` the developer's; `service` carries a call from one to the
//! other and lets faults strike on the way.

mod access_tokens;
mod apps;
mod codes;
mod control;
mod counters;
mod delivery;
mod endpoint;
mod endpoints;
mod fault;
mod faults;
mod faulty;
mod identities;
mod locks;
mod pushes;
mod reply;
mod service;
mod session_keys;
mod spelled;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use apps::{AppSwitches, SimulatedApp};

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use state::State;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any client pauses, so that a bench never pays for a new connection.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// How long stopping waits for answers that faults hold back, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 1;

/// What a simulator is made of.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The apps to simulate. With none, any well-formed appid is taken, and the first secret sent with it
    /// is its secret from then on.
    pub apps: Vec<SimulatedApp>,
    /// Threads that answer.
    pub workers: usize,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self { apps: Vec::new(), workers: 1 }
    }
}

/// The simulated WeChat. Clones share one state.
#[derive(Clone)]
pub struct Simulator {
    state: Arc<State>,
    workers: usize,
}

impl Simulator {
    /// A simulator in which nothing has happened yet.
    pub fn new(options: SimulatorOptions) -> Self {
        Self { state: Arc::new(State::new(options.apps)), workers: options.workers.max(1) }
    }

    /// Serves WeChat's URLs and the control API on this listener. Await or spawn the server; its handle
    /// stops it. It leaves signals to the caller.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Server> {
        let simulator = self.clone();
        let app = move || {
            App::new()
                .configure(|cfg| service::routes(cfg, &simulator.state))
                .configure(|cfg| simulator.control_routes(cfg))
        };
        let server = HttpServer::new(app)
            .workers(self.workers)
            .keep_alive(KEEP_ALIVE)
            .tcp_nodelay(true)
            // A call held back by a fault ends when its caller hangs up.
            .h1_allow_half_closed(false)
            .shutdown_timeout(SHUTDOWN_TIMEOUT)
            .disable_signals()
            .listen(listener)?;
        Ok(server.run())
    }

    /// Only the control routes (`/simulator/…`), for mounting in another app.
    pub fn control_routes(&self, cfg: &mut web::ServiceConfig) {
        control::routes(cfg, &self.state);
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("workers", &self.workers).finish_non_exhaustive()
    }
}

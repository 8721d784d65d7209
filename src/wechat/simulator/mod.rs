//! A simulator of WeChat. It serves WeChat's URLs with their quirks and errors, and lets a test or a
//! developer issue codes, rotate keys and inject faults through `/simulator/…`.
//!
//! All state is in memory. Ids are derived from names, so `alice` has the same openid after a restart. Where
//! WeChat's behaviour is not documented, it is a switch (`AppSwitches`), so that nobody relies on a guess.
//!
//! `endpoints/` implements WeChat's side, `control/` the developer's; `service` dispatches calls and applies faults.

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
mod pushes;
mod reply;
mod service;
mod session_keys;
mod shards;
mod spelled;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use apps::SimulatedApp;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use state::State;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Longer than the pauses of any client, so that a benchmark never pays for a new connection.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// How long a shutdown waits for responses that faults delay, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 1;

/// The configuration of a simulator.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The apps to simulate. If there are none, any well-formed appid is accepted, and the first secret sent
    /// with it becomes its secret.
    pub apps: Vec<SimulatedApp>,
    /// The number of worker threads.
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
    /// A simulator in its initial state.
    pub fn new(options: SimulatorOptions) -> Self {
        Self { state: Arc::new(State::new(options.apps)), workers: options.workers.max(1) }
    }

    /// Serves WeChat's URLs and the control API on this listener. Await or spawn the server; its handle stops
    /// it. The server does not handle signals.
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
            // A call delayed by a fault ends when its caller disconnects.
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

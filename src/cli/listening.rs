//! Listens until the process is told to stop, and finishes what was accepted.

use super::Failure;
use crate::config::ServerConfig;
use crate::http::{HttpState, MoreRoutes, ServerSettings, start};
use std::net::{SocketAddr, TcpListener};
use tokio::signal::unix::{SignalKind, signal};

/// Takes the address, or says who is at fault.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::new(format!("WEAUTH_LISTEN: {address}: {error}")))
}

/// Serves until SIGTERM or SIGINT; `ready` is called once requests are answered.
pub(super) async fn run_until_stopped(
    listener: TcpListener,
    state: HttpState,
    server: &ServerConfig,
    more: Option<MoreRoutes>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), Failure> {
    let settings = ServerSettings { workers: server.workers, max_connections: server.max_connections };
    let running = start(listener, state, settings, more)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = tokio::task::spawn_local(running.finished);
    ready(running.address);
    tokio::select! {
        _ = terminate.recv() => log::info!("SIGTERM: finishing what was accepted"),
        _ = interrupt.recv() => log::info!("SIGINT: finishing what was accepted"),
    }
    running.handle.stop(true).await;
    server.await??;
    log::info!("stopped");
    Ok(())
}

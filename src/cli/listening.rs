//! Listens until the process is told to stop, and finishes what was accepted.

use super::Failure;
use crate::config::ServerConfig;
use crate::http::{HttpState, MoreRoutes, ServerSettings, start};
use std::net::{SocketAddr, TcpListener};
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

/// Connections that may wait to be accepted: a burst of logins is held, not refused.
const BACKLOG: u32 = 4096;

/// Takes the address, or says who is at fault. To be called within a runtime.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bind().map_err(|error| Failure::new(format!("can't listen on {address}: {error}")))
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

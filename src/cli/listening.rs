//! Listens until the process is told to stop, and finishes accepted requests.

use super::Failure;
use crate::assembly::Weauth;
use crate::config::ServerConfig;
use crate::http::{MoreRoutes, ServerSettings, start};
use actix_web::dev::Server;
use std::net::{SocketAddr, TcpListener};
use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};

/// Connections that may wait to be accepted, so that a burst of logins is queued instead of refused.
const BACKLOG: u32 = 4096;

/// Binds the address, or names it and the setting that chose it in the error. Call this within a runtime.
pub(super) fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bind().map_err(|error| Failure::new(format!("can't listen on {address} ({setting}): {error}")))
}

/// Serves weauth, with more routes if there are any, until the process is told to stop; then finishes it. `ready` is
/// called once it runs.
pub(super) async fn serve_weauth(
    listener: TcpListener,
    weauth: &Weauth,
    config: &ServerConfig,
    more: Option<MoreRoutes>,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    let settings = ServerSettings { workers: config.workers, max_connections: config.max_connections };
    run_until_told_to_stop(start(listener, weauth.http_state(), settings, more)?, ready).await?;
    weauth.finish().await;
    Ok(())
}

/// Runs a server until SIGTERM, SIGINT or, unless it runs under `nohup`, SIGHUP; then lets it finish accepted
/// requests. `ready` is called once it runs.
pub(super) async fn run_until_told_to_stop(server: Server, ready: impl FnOnce()) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = if heeds_hangup() { Some(signal(SignalKind::hangup())?) } else { None };
    let handle = server.handle();
    let mut server = tokio::task::spawn_local(server);
    ready();
    tokio::select! {
        _ = terminate.recv() => log::info!("SIGTERM: finishing the requests that were accepted"),
        _ = interrupt.recv() => log::info!("SIGINT: finishing the requests that were accepted"),
        Some(_) = async { hangup.as_mut()?.recv().await } => log::info!("SIGHUP: finishing the requests that were accepted"),
        ended = &mut server => return Ok(ended??),
    }
    handle.stop(true).await;
    server.await??;
    log::info!("stopped");
    Ok(())
}

/// Whether SIGHUP is not ignored. `nohup` makes a process ignore it, and listening for it would undo that.
fn heeds_hangup() -> bool {
    const SIGHUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored & SIGHUP == 0)
}

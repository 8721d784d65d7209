//! `weauth serve`: the production server.

use super::Failure;
use super::listening::{bind, run_until_told_to_stop};
use crate::assembly::{Settings, Weauth};
use crate::config::{Config, Sources};
use crate::domain::DatabaseUrl;
use crate::http::{ServerSettings, start};
use actix_web::rt::System;

pub(super) fn run(sources: &Sources) -> Result<(), Failure> {
    let config = Config::for_serve(sources)?;
    let is_file = matches!(config.database.url, DatabaseUrl::Sqlite(_));
    let system = System::new();
    let served = system.block_on(serve(config));
    if !is_file {
        // To end it would be to wait for a thread that a silent server holds, for as long as it is silent.
        std::mem::forget(system);
    }
    served
}

async fn serve(config: Config) -> Result<(), Failure> {
    let listener = bind(config.server.listen, "WEAUTH_LISTEN")?;
    let server =
        ServerSettings { workers: config.server.workers, max_connections: config.server.max_connections };
    let weauth = Weauth::start(Settings::new(config, listener.local_addr()?)).await?;
    let running = start(listener, weauth.http_state(), server, None)?;
    let address = running.address;
    run_until_told_to_stop(running.finished, running.handle, || log::info!("listening on http://{address}"))
        .await?;
    weauth.finish().await;
    Ok(())
}

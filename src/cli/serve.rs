//! `weauth serve`: the production server.

use super::Failure;
use super::listening::{bind, run_until_told_to_stop};
use crate::assembly::{Settings, Weauth};
use crate::config::{Config, Sources};
use crate::http::{ServerSettings, start};

pub(super) fn run(sources: &Sources) -> Result<(), Failure> {
    let config = Config::for_serve(sources)?;
    actix_web::rt::System::new().block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    let Config { database, wechat, server, tokens, master_keys, roles, log: _ } = config;
    let listener = bind(server.listen)?;
    let public_url = match &server.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", listener.local_addr()?),
    };
    let trusted_proxies = server.trusted_proxies.clone();
    let settings = Settings { database, wechat, tokens, master_keys, roles, trusted_proxies, public_url };
    let weauth = Weauth::start(settings).await?;
    let settings = ServerSettings { workers: server.workers, max_connections: server.max_connections };
    let running = start(listener, weauth.http_state(), settings, None)?;
    let address = running.address;
    run_until_told_to_stop(running.finished, running.handle, || log::info!("listening on http://{address}"))
        .await
}

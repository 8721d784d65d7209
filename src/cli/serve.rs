//! `weauth serve`: the production server.

use super::Failure;
use super::listening::{bind, run_until_stopped};
use crate::assembly::{Settings, Weauth};
use crate::config::{Config, Sources};

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
    run_until_stopped(listener, weauth.http_state(), &server, None, |address| {
        log::info!("listening on http://{address}");
    })
    .await
}

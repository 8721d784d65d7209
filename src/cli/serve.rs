//! `weauth serve`: the production server.

use super::Failure;
use super::listening::{bind, serve_weauth};
use crate::assembly::{Settings, Weauth};
use crate::config::{Config, Sources};
use crate::domain::{App, DatabaseUrl};
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
    let (address, server) = (listener.local_addr()?, config.server.clone());
    let apps: Vec<String> = config.wechat.apps.iter().map(App::to_string).collect();
    let weauth = Weauth::start(Settings::new(config, address)).await?;
    let ready = || {
        log::info!("mini-programs served: {}", apps.join(", "));
        log::info!("listening on http://{address}");
    };
    serve_weauth(listener, &weauth, &server, None, ready).await
}

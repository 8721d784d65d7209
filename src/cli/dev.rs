//! `weauth dev`: everything in one process, for trying out. It uses no production settings and listens only on
//! loopback.

use super::listening::{bind, serve_weauth};
use super::{DevArguments, Failure};
use crate::assembly::{Settings, StartError, Weauth};
use crate::config::{DatabaseConfig, DevConfig, KeyConfig, Sources, WeChatConfig};
use crate::crypto::{MasterKeys, hex, random_bytes};
use crate::domain::{App, AppId, AppSecret, DatabaseUrl};
use crate::flows::StartKeysError;
use crate::http::demo;
use crate::wechat::simulator::{SimulatedApp, Simulator, SimulatorOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// The mini-program that exists only in the simulator.
const APPID: &str = "wx5eb1a7d09c3f2e64";

const DATABASE_FILE: &str = "weauth-dev.db";
const KEY_FILE: &str = "weauth-dev.key";

/// Where the simulator listens, if the port is free.
const SIMULATOR_PORT: u16 = 8081;

pub(super) fn run(sources: &Sources, arguments: &DevArguments) -> Result<(), Failure> {
    let config = DevConfig::for_dev(sources, arguments.listen)?;
    actix_web::rt::System::new().block_on(dev(config))
}

async fn dev(config: DevConfig) -> Result<(), Failure> {
    let listener = bind(config.server.listen, "WEAUTH_LISTEN")?;
    let app = App {
        id: AppId::parse(APPID)?,
        secret: AppSecret::parse(&hex(&random_bytes::<16>()))?,
        name: APPID.to_owned(),
    };
    let (simulator, simulator_address) = start_simulator(&app)?;
    let address = listener.local_addr()?;
    let public_url = format!("http://{address}");
    let weauth = Weauth::start(settings(&config, app, simulator_address, public_url)?).await.map_err(told)?;
    let more = move |cfg: &mut actix_web::web::ServiceConfig| {
        simulator.control_routes(cfg);
        demo::routes(cfg);
    };
    let ready = || say_what_to_try(address, simulator_address);
    serve_weauth(listener, &weauth, &config.server, Some(Arc::new(more)), ready).await
}

fn settings(
    config: &DevConfig,
    app: App,
    simulator: SocketAddr,
    public_url: String,
) -> Result<Settings, Failure> {
    Ok(Settings {
        database: DatabaseConfig {
            url: DatabaseUrl::Sqlite(DATABASE_FILE.to_owned()),
            connections: config.database_connections,
        },
        wechat: WeChatConfig {
            apps: vec![app],
            api_base: Url::parse(&format!("http://{simulator}/"))?,
            max_in_flight: config.max_in_flight,
        },
        tokens: config.tokens,
        keys: KeyConfig::default(),
        master_keys: MasterKeys::parse(&master_key(Path::new(KEY_FILE))?)
            .map_err(|error| Failure::new(format!("{KEY_FILE}: {error}")))?,
        roles: config.roles.clone(),
        trusted_proxies: Vec::new(),
        rate_limit: config.server.rate_limit,
        public_url,
    })
}

/// Rewrites messages that concern the settings of `serve`: here the key is in a file beside the database.
fn told(error: StartError) -> Failure {
    match error {
        StartError::Database { error, .. } => Failure::new(format!("{DATABASE_FILE}: {error}")),
        StartError::Keys(StartKeysError::MasterKey) => Failure::new(format!(
            "{KEY_FILE} is not the key that {DATABASE_FILE} was made with: restore it, or delete both and start over"
        )),
        other => other.into(),
    }
}

/// Starts the simulator, on its usual port or, if that is taken, on a free one.
fn start_simulator(app: &App) -> Result<(Simulator, SocketAddr), Failure> {
    let simulated = SimulatedApp {
        appid: app.id.to_string(),
        secret: app.secret.expose().to_owned(),
        ..SimulatedApp::default()
    };
    let simulator = Simulator::new(SimulatorOptions { apps: vec![simulated], workers: 1 });
    let loopback = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = loopback(SIMULATOR_PORT).or_else(|_| loopback(0))?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(simulator.serve(listener)?);
    Ok((simulator, address))
}

/// The key beside the database; made on the first start, readable by its owner only.
fn master_key(path: &Path) -> Result<String, Failure> {
    let told = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    match std::fs::read_to_string(path) {
        Ok(key) => Ok(key.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if Path::new(DATABASE_FILE).exists() {
                return Err(Failure::new(format!(
                    "{DATABASE_FILE} exists, but not {KEY_FILE}, the key that it was made with: restore that, or delete \
                     the database and start over"
                )));
            }
            let key = MasterKeys::generate_text();
            write_new(path, &key).map_err(told)?;
            Ok(key)
        }
        Err(error) => Err(told(error)),
    }
}

/// Writes a file that is not there yet, or leaves none: half a key is worse than no key.
fn write_new(path: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{line}").and_then(|()| file.sync_all()).inspect_err(|_| {
        // The first error is the one to tell.
        let _removed = std::fs::remove_file(path);
    })
}

fn say_what_to_try(address: SocketAddr, simulator: SocketAddr) {
    log::info!("listening on http://{address}");
    log::logger().flush();
    let text = format!(
        "
weauth dev is ready: weauth, its database (sqlite://{DATABASE_FILE}) and a simulated WeChat (http://{simulator}/simulator).

  See it work:   http://{address}/demo
  Log in:        curl -s http://{address}/login -d \"code=sim.alice.$(date +%s%N)\"
"
    );
    // If standard output is closed, nobody is reading.
    let _closed = std::io::stdout().write_all(text.as_bytes());
}

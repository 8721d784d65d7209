//! `weauth simulate`: the WeChat simulator alone, for tests of other programs too.

use super::listening::{bind, run_until_told_to_stop};
use super::{Failure, SimulateArguments};
use crate::config::{LogConfig, Sources};
use crate::wechat::simulator::{SimulatedApp, Simulator, SimulatorOptions};
use std::collections::BTreeSet;
use std::thread::available_parallelism;

pub(super) fn run(sources: &Sources, arguments: SimulateArguments) -> Result<(), Failure> {
    LogConfig::for_command(sources)?;
    actix_web::rt::System::new().block_on(simulate(arguments))
}

async fn simulate(arguments: SimulateArguments) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = arguments.apps.iter().find(|app| !seen.insert(app.id.clone())) {
        return Err(Failure::Usage(format!("--app: {} is given twice: keep one", twice.id)));
    }
    let apps = arguments.apps.iter().map(|app| SimulatedApp {
        appid: app.id.to_string(),
        secret: app.secret.expose().to_owned(),
        ..SimulatedApp::default()
    });
    let workers = available_parallelism().map_or(1, usize::from);
    let simulator = Simulator::new(SimulatorOptions { apps: apps.collect(), workers });
    let listener = bind(arguments.listen, "--listen")?;
    let address = listener.local_addr()?;
    let server = simulator.serve(listener)?;
    run_until_told_to_stop(server, || log::info!("listening on http://{address} as WeChat")).await
}

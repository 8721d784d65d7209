//! The command line: one file a subcommand. It reads arguments and configuration and hands each part of the
//! program what is its own.

mod arguments;
mod dev;
mod keys;
mod listening;
mod logging;
mod migrate;
mod serve;
mod simulate;
mod terminal;
mod users;

use crate::config::{LogConfig, Sources};
use arguments::{Action, Arguments, DevArguments, MigrateArguments, SimulateArguments};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Why a command failed: one sentence that names the thing (or one line for each mistake of a configuration).
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// Fails with this sentence.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs the program: exit code 0 when done, 1 when it failed, 2 on wrong usage.
pub fn main() -> ExitCode {
    // Drops last, so that the log is written out on every way out of here, a panic included.
    let _flush = FlushLog;
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            log::logger().flush();
            // Where standard error is closed, nobody is left to be told.
            let _ = writeln!(std::io::stderr(), "{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let sources = Sources::of_process(arguments.config.as_deref());
    logging::start(&LogConfig::or_default(&sources))?;
    match arguments.command {
        Action::Dev(dev) => dev::run(&sources, &dev),
        Action::Serve => serve::run(&sources),
        Action::Migrate(migrate) => migrate::run(&sources, &migrate),
        Action::Simulate(simulate) => simulate::run(simulate),
        Action::Users(users) => users::run(&sources, &users),
        Action::Keys(keys) => keys::run(&sources, &keys),
    }
}

struct FlushLog;

impl Drop for FlushLog {
    fn drop(&mut self) {
        log::logger().flush();
    }
}

//! The command line, one file per subcommand. It reads arguments and configuration and gives each part of the
//! program its own settings.

mod arguments;
mod dev;
mod escape;
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
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One sentence that names the cause (or one line for each mistake of a configuration).
    Because(String),
    /// The same, for wrong usage.
    Usage(String),
    /// The reader of the output closed it, as `head` does. The command's work is done before it writes.
    NobodyReads,
}

impl Failure {
    /// Fails with this sentence.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self::Because(sentence.into())
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let io = (&error as &dyn std::error::Error).downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return Self::NobodyReads;
        }
        Self::Because(error.to_string())
    }
}

/// Runs the program: exit code 0 when done, 1 when it failed, 2 on wrong usage.
pub fn main() -> ExitCode {
    // Dropped last, so that the log is flushed on every way out of here, a panic included.
    let _flush = FlushLog;
    match run(Arguments::parse()) {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Because(sentence)) => failed(&sentence, 1),
        Err(Failure::Usage(sentence)) => failed(&sentence, 2),
    }
}

fn failed(sentence: &str, code: u8) -> ExitCode {
    log::logger().flush();
    terminal::tell(sentence);
    ExitCode::from(code)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let sources = Sources::of_process(arguments.config.as_deref());
    logging::start(&LogConfig::or_default(&sources))?;
    match arguments.command {
        Action::Dev(dev) => dev::run(&sources, &dev),
        Action::Serve => serve::run(&sources),
        Action::Migrate(migrate) => migrate::run(&sources, &migrate),
        Action::Simulate(simulate) => simulate::run(&sources, simulate),
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

//! The log: records of the `log` crate, filtered by env_logger, one line each on standard error.
//! The only file that names env_logger.

mod escape;
mod format;
mod lines;
mod timestamp;

use crate::config::{LogConfig, LogFormat};
use env_logger::{Builder, Target};
use lines::Lines;
use log::{Log, Metadata, Record};
use std::time::SystemTime;

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogStartError {
    /// The thread that writes could not be started.
    #[error("the thread that writes the log can't be started: {0}")]
    Thread(#[from] std::io::Error),
    /// There is a logger already.
    #[error("the log can't be set up: {0}")]
    Taken(#[from] log::SetLoggerError),
}

/// Sets the process's logger. `log::logger().flush()` returns when all that was logged is written.
pub(super) fn start(config: &LogConfig) -> Result<(), LogStartError> {
    let lines = Lines::start(std::io::stderr())?;
    let logger = Logger { filtered: build(config, lines.clone()), lines };
    log::set_max_level(logger.filtered.filter());
    log::set_boxed_logger(Box::new(logger))?;
    Ok(())
}

fn build(config: &LogConfig, lines: Lines) -> env_logger::Logger {
    let mut builder = Builder::new();
    // What actix says of its threads at info is no news to an operator; RUST_LOG can ask for it.
    builder.filter_module("actix_server", log::LevelFilter::Warn);
    builder.parse_filters(&config.filter).target(Target::Pipe(Box::new(lines)));
    match config.format {
        LogFormat::Text => builder.format(|line, record| format::text(line, SystemTime::now(), record)),
        LogFormat::Json => builder.format(|line, record| format::json(line, SystemTime::now(), record)),
    };
    builder.build()
}

/// env_logger, whose own `flush` does nothing, with one that waits for the writing thread.
struct Logger {
    filtered: env_logger::Logger,
    lines: Lines,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filtered.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.filtered.log(record);
    }

    fn flush(&self) {
        self.lines.drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_passes_the_filter_is_written_by_the_time_flush_returns() {
        let kept = Kept::default();
        let lines = Lines::start(kept.clone()).unwrap();
        let config = LogConfig { filter: "warn,weauth=info".to_owned(), format: LogFormat::Text };
        let logger = Logger { filtered: build(&config, lines.clone()), lines };
        for (target, level) in [("weauth::http", log::Level::Info), ("other", log::Level::Info)] {
            logger.log(&Record::builder().target(target).level(level).args(format_args!("hello")).build());
        }
        logger.flush();
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(written.ends_with("INFO  weauth::http hello\n") && written.lines().count() == 1, "{written}");
    }
}

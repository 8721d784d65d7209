//! The log: records of the `log` crate, filtered by env_logger, one line each on standard error. The only file
//! that names env_logger.

mod format;
mod lines;
mod panics;
mod timestamp;

use super::terminal::tell;
use crate::config::{LogConfig, LogFormat};
use env_logger::Builder;
use lines::Lines;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::cell::RefCell;
use std::time::SystemTime;

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogStartError {
    /// The writing thread could not be started.
    #[error("the thread that writes the log can't be started: {0}")]
    Thread(#[from] std::io::Error),
    /// There is a logger already.
    #[error("the log can't be set up: {0}")]
    Taken(#[from] log::SetLoggerError),
}

/// Sets the process's logger, which panics go to as well. `log::logger().flush()` returns when everything logged so
/// far is written, or can't be.
pub(super) fn start(config: &LogConfig) -> Result<(), LogStartError> {
    let format = config.format;
    let lines = Lines::start(std::io::stderr(), move |count| told_of_dropped(count, format))?;
    let logger = Logger::new(config, lines);
    if logger.is_mute_by_mistake(&config.filter) {
        // The log would not show it.
        tell(&format!(
            "RUST_LOG: {:?} names what to log and leaves out weauth, its errors included: give a level first, as in \
             `info,TARGET`",
            config.filter
        ));
    }
    log::set_max_level(logger.filter.filter());
    log::set_boxed_logger(Box::new(logger))?;
    std::panic::set_hook(Box::new(panics::log_panic));
    Ok(())
}

fn write(line: &mut Vec<u8>, record: &Record<'_>, format: LogFormat) -> std::io::Result<()> {
    match format {
        LogFormat::Text => format::text(line, SystemTime::now(), record),
        LogFormat::Json => format::json(line, SystemTime::now(), record),
    }
}

/// The line that stands for lines that were dropped.
fn told_of_dropped(count: u64, format: LogFormat) -> Vec<u8> {
    let mut line = Vec::new();
    let mut record = Record::builder();
    record.level(Level::Warn).target("weauth::log");
    let args = format_args!("lines dropped from the log, as nobody read it: {count}");
    // Writing into memory never fails.
    let _ = write(&mut line, &record.args(args).build(), format);
    line
}

/// Filters with env_logger, but formats and writes lines itself: env_logger's own writer holds one lock for all
/// threads.
struct Logger {
    filter: env_logger::Logger,
    format: LogFormat,
    lines: Lines,
}

impl Logger {
    fn new(config: &LogConfig, lines: Lines) -> Self {
        let mut builder = Builder::new();
        // What actix logs about its threads at info does not interest an operator; RUST_LOG can enable it.
        builder.filter_module("actix_server", LevelFilter::Warn);
        // It logs as an error whatever clients send that is not HTTP.
        builder.filter_module("actix_http::h1", LevelFilter::Off);
        let filter = builder.parse_filters(&config.filter).build();
        Self { filter, format: config.format, lines }
    }

    /// Does a filter without a level leave out our errors? A mistyped level is the name of a target to env_logger.
    fn is_mute_by_mistake(&self, filter: &str) -> bool {
        let error = Metadata::builder().level(Level::Error).target("weauth").build();
        let is_clear = |word: &str| {
            word.contains('=') || word.starts_with("weauth") || word.parse::<LevelFilter>().is_ok()
        };
        !self.enabled(&error) && !filter.split([',', '/']).map(str::trim).any(is_clear)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if !self.filter.matches(record) {
            return;
        }
        let push = |line: &mut Vec<u8>| {
            // A value that panicked while it was being formatted has left its line unfinished.
            line.clear();
            let made = write(line, record, self.format);
            // Writing into memory never fails; a value whose formatting fails loses its line.
            if made.is_ok() {
                self.lines.push(line);
            }
        };
        // A value that logs, or panics, while it is being formatted gets a buffer of its own.
        let written = LINE.try_with(|line| match line.try_borrow_mut() {
            Ok(mut line) => push(&mut line),
            Err(_) => push(&mut Vec::new()),
        });
        // The thread-local buffer of a thread that is ending is gone.
        written.unwrap_or_else(|_| push(&mut Vec::new()));
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
    fn a_filter_that_leaves_our_errors_out_without_saying_so_is_noticed() {
        for (filter, is_mute) in [
            ("foo", true),
            ("foo,reqwest", true),
            ("foo/login", true),
            ("weauth", false),
            ("weauth::http", false),
            ("info,foo", false),
            ("off", false),
            ("foo=debug", false),
        ] {
            let config = LogConfig { filter: filter.to_owned(), format: LogFormat::Text };
            let logger = Logger::new(&config, Lines::start(std::io::sink(), |_| Vec::new()).unwrap());
            assert_eq!(logger.is_mute_by_mistake(filter), is_mute, "{filter}");
        }
    }

    #[test]
    fn what_passes_the_filter_is_written_by_the_time_flush_returns() {
        let kept = Kept::default();
        let lines = Lines::start(kept.clone(), |_| Vec::new()).unwrap();
        let config = LogConfig { filter: "warn,weauth=info".to_owned(), format: LogFormat::Text };
        let logger = Logger::new(&config, lines);
        for (target, level) in [("weauth::http", Level::Info), ("other", Level::Info)] {
            logger.log(&Record::builder().target(target).level(level).args(format_args!("hello")).build());
        }
        logger.flush();
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(written.ends_with("INFO  weauth::http hello\n") && written.lines().count() == 1, "{written}");
    }
}

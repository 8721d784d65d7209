//! Panics, as lines of the log. The default hook would write text of several lines, into a log of JSON objects too.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::thread;

/// Logs a panic in one line: the thread, the place and the message, and with `RUST_BACKTRACE=1` how it came there.
///
/// The logger holds no lock while it formats a record, the only thing it does that can panic: so a panic in there is
/// logged like any other. A panic in here would end the process.
pub(super) fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("(no text)");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        log::error!(target: "weauth::panic", "thread {thread} panicked at {place}: {message}\n{backtrace}");
    } else {
        log::error!(target: "weauth::panic", "thread {thread} panicked at {place}: {message}");
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::logging;
    use crate::config::{LogConfig, LogFormat};
    use std::fmt::{Display, Formatter};
    use std::panic::catch_unwind;
    use std::process::Command;
    use std::thread;

    const CHILD: &str = "WEAUTH_TEST_PANICS";

    /// A value that can't be formatted.
    struct Bomb;

    impl Display for Bomb {
        fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
            f.write_str("half a line")?;
            panic!("in the middle")
        }
    }

    /// The hook is the whole process's, so another process than that of the other tests panics.
    #[test]
    fn each_panic_is_one_object_of_the_log() {
        if std::env::var_os(CHILD).is_some() {
            return panic_in_several_ways();
        }
        let name = "cli::logging::panics::tests::each_panic_is_one_object_of_the_log";
        for (backtrace, shown) in [("0", false), ("1", true)] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("RUST_BACKTRACE", backtrace);
            let output = child.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let told: Vec<(String, String)> =
                String::from_utf8(output.stderr).unwrap().lines().map(parts).collect();
            let message = |number: usize| told[number].1.as_str();
            assert_eq!(told.len(), 4, "{told:#?}");
            assert!(
                message(0).starts_with("thread worker panicked at src/cli/logging/panics.rs:"),
                "{told:#?}"
            );
            assert!(message(0).contains(": two\nlines, \"quoted\""), "{told:#?}");
            assert_eq!(message(0).contains("panic_in_several_ways"), shown, "{told:#?}");
            assert!(message(1).contains(": (no text)"), "{told:#?}");
            assert!(message(2).contains(": in the middle"), "{told:#?}");
            assert_eq!(told[3], ("INFO".to_owned(), "life goes on".to_owned()));
            assert!(told[..3].iter().all(|(level, _)| level == "ERROR"), "{told:#?}");
        }
    }

    fn panic_in_several_ways() {
        let config = LogConfig { filter: "info".to_owned(), format: LogFormat::Json };
        logging::start(&config).unwrap();
        let worker = thread::Builder::new().name("worker".to_owned());
        worker.spawn(|| panic!("two\nlines, {:?}", "quoted")).unwrap().join().unwrap_err();
        catch_unwind(|| std::panic::panic_any(7)).unwrap_err();
        catch_unwind(|| log::info!("{Bomb}")).unwrap_err();
        log::info!("life goes on");
        log::logger().flush();
    }

    /// The level and the message of a line.
    fn parts(line: &str) -> (String, String) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        ["level", "message"].map(|part| line[part].as_str().unwrap().to_owned()).into()
    }
}

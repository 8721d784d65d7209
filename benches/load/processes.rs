//! The processes under load: started, measured for CPU time and memory, killed at the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const APPID: &str = "wx2c1f8e7d6b5a4930";
pub(crate) const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015";
const MASTER_KEY: &str = "pXo0vPz8uQyIZ1kX3m6vJ2aWc4n7bL9dE5hGt0rSfYU=";

/// A child process that listens.
pub(crate) struct Process {
    child: Child,
    /// `host:port`.
    pub address: String,
    /// The time from start to the log line that says it listens.
    pub ready_after: Duration,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let began = Instant::now();
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
        let mut rest = BufReader::with_capacity(64 * 1024, child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            let read = rest.read_line(&mut line).unwrap_or_default();
            assert!(read > 0, "it ended without listening: {said}");
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.split_whitespace().next().unwrap_or_default().to_owned();
            }
            said.push_str(&line);
        };
        let ready_after = began.elapsed();
        // The rest of the log is read and discarded.
        std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
        Self { child, address, ready_after }
    }

    pub(crate) fn simulator() -> Self {
        let mut command = weauth();
        command.args(["simulate", "--listen", "127.0.0.1:0", "--app", &format!("{APPID}:{SECRET}")]);
        Self::start(command)
    }

    pub(crate) fn bare(simulator: &Self) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args(["--bare-server", &format!("http://{}", simulator.address)]);
        Self::start(command)
    }

    pub(crate) fn weauth(database_url: &str, simulator: &Self, folder: &Path) -> Self {
        let mut command = weauth();
        command.arg("serve").current_dir(folder);
        command
            .env("DATABASE_URL", database_url)
            .env("WECHAT_API_BASE", format!("http://{}", simulator.address));
        command.env("WECHAT_APPID", APPID).env("WECHAT_SECRET", SECRET);
        command
            .env("WEAUTH_MASTER_KEY", MASTER_KEY)
            .env("WEAUTH_LISTEN", "127.0.0.1:0")
            .env("WEAUTH_WORKERS", "2");
        Self::start(command)
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks: u64 =
            fields.get(11..13).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// A line of `/proc/PID/status` in MiB: `VmRSS` or `VmHWM`.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let found =
            status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
        found.unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn weauth() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weauth"));
    command.env_clear();
    for kept in ["RUST_LOG", "PATH"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

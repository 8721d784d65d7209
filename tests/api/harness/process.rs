//! A child process of the test: started with a clean environment, logged to the last line, killed with the test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a process may take to start, to write a line or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the child has written so far, line by line.
#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    printed: Vec<String>, // those of standard output
    pipes_open: u8,
}

impl Log {
    /// Waits until `seen` finds what it looks for; `None` if the child ended or the wait timed out.
    fn wait<T>(&self, seen: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = seen(&state.lines) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.pipes_open == 0 || left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until both pipes are closed, which is when the child has ended.
    fn wait_for_end(&self) -> bool {
        let state = self.state.lock().unwrap();
        let (state, _) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.pipes_open > 0).unwrap();
        state.pipes_open == 0
    }

    fn listen(self: &Arc<Self>, pipe: impl Read + Send + 'static, is_stdout: bool) {
        self.state.lock().unwrap().pipes_open += 1;
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut state = log.state.lock().unwrap();
                if is_stdout {
                    state.printed.push(text.clone());
                }
                state.lines.push(text);
                drop(state);
                log.changed.notify_all();
                line.clear();
            }
            log.state.lock().unwrap().pipes_open -= 1;
            log.changed.notify_all();
        });
    }
}

/// A running `weauth`, with any subcommand.
pub struct Process {
    child: Mutex<Child>,
    id: u32,
    log: Arc<Log>,
}

impl Process {
    /// Starts `weauth` with these arguments in `folder`, with these variables and otherwise only those of the host
    /// that programs need.
    pub fn weauth<A: AsRef<OsStr>>(folder: &Path, arguments: &[A], environment: &[(String, String)]) -> Self {
        let mut weauth = Command::new(env!("CARGO_BIN_EXE_weauth"));
        weauth.args(arguments).current_dir(folder).env_clear();
        for kept in ["PATH", "HOME", "TMPDIR", "LANG", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                weauth.env(kept, value);
            }
        }
        weauth.env("RUST_BACKTRACE", "1").envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start(weauth)
    }

    /// Starts any program.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Log::default());
        log.listen(child.stdout.take().unwrap(), true);
        log.listen(child.stderr.take().unwrap(), false);
        Self { id: child.id(), child: Mutex::new(child), log }
    }

    /// Waits for the address after `listening on`.
    pub fn address(&self) -> String {
        self.wait_for("`listening on http://…`", said_address)
    }

    /// Waits for a line in which `seen` finds what it looks for.
    pub fn wait_for<T>(&self, what: &str, seen: impl Fn(&str) -> Option<T>) -> T {
        let found =
            tokio::task::block_in_place(|| self.log.wait(|lines| lines.iter().find_map(|line| seen(line))));
        found.unwrap_or_else(|| panic!("no {what} in:\n{}", self.lines().join("\n")))
    }

    /// Waits until so many lines contain this.
    pub fn wait_for_lines(&self, count: usize, text: &str) {
        let enough = |lines: &[String]| {
            (lines.iter().filter(|line| line.contains(text)).count() >= count).then_some(())
        };
        let found = tokio::task::block_in_place(|| self.log.wait(|lines| enough(lines)));
        assert!(found.is_some(), "not {count} times {text} in:\n{}", self.lines().join("\n"));
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.state.lock().unwrap().lines.clone()
    }

    /// All lines, to the last one of a process that has ended.
    pub fn final_lines(&self) -> Vec<String> {
        self.log.wait_for_end();
        self.lines()
    }

    /// Asks the process to end with SIGTERM, as a service manager does.
    pub fn terminate(&self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id)]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the process was already gone");
    }

    /// Kills the process without warning, as a power cut would.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().ok(); // it may have ended by itself
        child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub fn end(&self) -> ExitStatus {
        let ended = tokio::task::block_in_place(|| self.log.wait_for_end());
        assert!(ended, "still running; it said:\n{}", self.lines().join("\n"));
        self.child.lock().unwrap().wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.log.wait_for_end();
    }
}

/// The result of a finished command.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub printed: String,
    /// Everything it wrote, errors included.
    pub said: String,
}

/// Runs `weauth` to its end, for commands that are not expected to keep running.
pub fn run_weauth<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: &[A],
    environment: &[(String, String)],
) -> Finished {
    let process = Process::weauth(folder, arguments, environment);
    let status = process.end();
    let printed = process.log.state.lock().unwrap().printed.join("\n");
    Finished { status, printed, said: process.lines().join("\n") }
}

/// The address in a line that says where a server listens.
pub fn said_address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c)));
    Some(format!("http://{}", &rest[..end.unwrap_or(rest.len())]))
}

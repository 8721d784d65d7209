//! Programs in other languages, run with the libraries that `tests/run` installs.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a test waits for a program's answer; starting an interpreter on a busy machine is slow.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A language in which the README shows a verifier.
#[derive(Debug, Clone, Copy)]
pub(super) enum Language {
    Node,
    Python,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// The README's verifier in this language.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Node => crate::harness::readme_block("js", "from 'jose'"),
            Self::Python => crate::harness::readme_block("python", "import jwt"),
        }
    }
}

/// A folder in which programs find their libraries.
pub(super) struct Workshop(TempDir);

impl Workshop {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::os::unix::fs::symlink(installed("node_modules"), folder.path().join("node_modules")).unwrap();
        for program in ["verify.mjs", "verify.py", "oauth.mjs"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(program);
            std::fs::copy(source, folder.path().join(program)).unwrap();
        }
        Self(folder)
    }

    /// A Node.js program of `tests/clients`.
    pub(super) fn node(&self, program: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(program);
        self.command(node)
    }

    fn python(&self, program: &str) -> Command {
        let mut python = Command::new(installed("venv/bin/python"));
        python.arg(program);
        self.command(python)
    }

    fn command(&self, mut command: Command) -> Command {
        command.current_dir(self.0.path()).kill_on_drop(true);
        command
    }

    /// The README's verifier, running, for tokens of this issuer and mini-program.
    pub(super) fn verifier(&self, language: Language, issuer: &str, appid: &str) -> RunningVerifier {
        let source = language
            .shown()
            .replace("https://login.example.com", issuer)
            .replace("wx5eb1a7d09c3f2e64", appid);
        let (name, command) = match language {
            Language::Node => ("readme.mjs", self.node("verify.mjs")),
            Language::Python => ("readme.py", self.python("verify.py")),
        };
        std::fs::write(self.0.path().join(name), source).unwrap();
        RunningVerifier::start(command)
    }
}

/// A program that reads tokens and answers with claims or errors. It caches the keys that it has fetched.
pub(super) struct RunningVerifier {
    _child: Child, // ends with the test
    tokens: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl RunningVerifier {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { tokens: child.stdin.take().unwrap(), answers, _child: child }
    }

    async fn ask(&mut self, line: &str) -> Value {
        self.tokens.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.expect("the verifier answers in time").unwrap();
        serde_json::from_str(&answer.expect("the verifier runs on")).unwrap()
    }

    /// The claims of a token, or why the library refuses it.
    pub(super) async fn verify(&mut self, token: &str) -> Result<Value, String> {
        let mut answer = self.ask(token).await;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["claims"].take()),
        }
    }

    /// Advances the clock by which the verifier's cached keys age.
    pub(super) async fn later(&mut self, seconds: u32) {
        self.ask(&format!("later {seconds}")).await;
    }
}

/// The path of something that `tests/run` installs: in the folder of `TEST_CLIENTS`, or else in `target/clients`.
fn installed(what: &str) -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
    let folder = std::env::var_os("TEST_CLIENTS").map_or_else(default, PathBuf::from);
    let path = folder.join(what);
    assert!(path.exists(), "{} is missing: `tests/run` installs it", path.display());
    path
}

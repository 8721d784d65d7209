//! Everything around the servers of one test: folder, database, WeChat, settings, ledger.

use super::Database;
use super::app::TestApp;
use super::ledger::{Ledger, Secret};
use super::process::{Finished, Process, run_weauth};
use super::scripted::{SESSION_KEY, ScriptedWeChat};
use super::simulator::Simulator;
use std::fmt::Write;
use std::sync::Arc;
use tempfile::TempDir;

/// The issuer of all test servers: fixed, so that a restart on another port changes nothing.
pub const ISSUER: &str = "https://login.test";

/// A mini-program of the test.
#[derive(Clone)]
pub struct TestMiniProgram {
    /// Its appid.
    pub appid: String,
    /// Its AppSecret.
    pub secret: String,
}

/// The world of one test. When its last server is gone, it checks the ledger.
pub struct World {
    /// The mini-programs that the servers serve.
    pub apps: Vec<TestMiniProgram>,
    /// The secrets and output of this test.
    pub ledger: Ledger,
    /// The simulator, unless WeChat is scripted.
    pub simulator: Option<Simulator>,
    environment: Vec<(String, String)>,
    folder: TempDir,
    _database: Database, // dropped last, when nobody uses it any more
}

impl World {
    /// Starts another server in this world, with these variables added.
    pub fn serve(&self, overrides: &[(String, String)]) -> Process {
        let environment: Vec<_> = self.environment.iter().chain(overrides).cloned().collect();
        Process::weauth(self.folder.path(), &self.arguments("serve"), &environment)
    }

    /// Runs another command of `weauth` with the same settings.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with(arguments, &[])
    }

    /// The same with these variables added.
    pub fn run_with(&self, arguments: &[&str], overrides: &[(&str, &str)]) -> Finished {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(overrides).collect();
        let mut all = self.arguments(arguments[0]);
        all.extend(arguments[1..].iter().map(|argument| (*argument).to_owned()));
        let finished = run_weauth(self.folder.path(), &all, &environment);
        self.ledger.said(finished.said.lines().map(str::to_owned).collect());
        finished
    }

    /// Runs a command that prints a secret, which may then appear nowhere else.
    pub fn run_for_secret(&self, kind: Secret, arguments: &[&str]) -> Finished {
        let mut all = self.arguments(arguments[0]);
        all.extend(arguments[1..].iter().map(|argument| (*argument).to_owned()));
        let finished = run_weauth(self.folder.path(), &all, &self.environment);
        self.ledger.keep_secret(kind, &finished.printed);
        let beside = finished.said.lines().filter(|line| *line != finished.printed);
        self.ledger.said(beside.map(str::to_owned).collect());
        finished
    }

    /// Starts another command of `weauth` without waiting, with these variables added.
    pub fn begin(&self, arguments: &[&str], overrides: &[(&str, &str)]) -> Process {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(overrides).collect();
        Process::weauth(self.folder.path(), arguments, &environment)
    }

    /// Where its programs run.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The value of a variable.
    pub fn setting(&self, name: &str) -> String {
        let found = self.environment.iter().rev().find(|(known, _)| known == name);
        found.expect("a variable of this world").1.clone()
    }

    fn arguments(&self, command: &str) -> Vec<String> {
        let mut arguments = vec![command.to_owned()];
        if self.apps.len() > 1 {
            arguments.extend(["--config".to_owned(), "apps.toml".to_owned()]);
        }
        arguments
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(simulator) = self.simulator.take() {
            simulator.end(&self.ledger);
        }
        if std::thread::panicking() {
            eprintln!("---- what the programs said ----\n{}", self.ledger.transcript());
            return;
        }
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "after the test:\n{}", faults.join("\n"));
    }
}

/// Describes a world before it starts.
pub struct Builder {
    database: Database,
    database_url: Option<String>,
    apps: usize,
    scripted: Option<ScriptedWeChat>,
    environment: Vec<(String, String)>,
    file: Option<String>,
}

impl Builder {
    /// One mini-program, a simulator, default settings.
    pub fn new(database: Database) -> Self {
        Self { database, database_url: None, apps: 1, scripted: None, environment: Vec::new(), file: None }
    }

    /// Sets the number of mini-programs; more than one go into a configuration file.
    pub fn apps(mut self, apps: usize) -> Self {
        self.apps = apps;
        self
    }

    /// Uses this WeChat instead of a simulator.
    pub fn wechat(mut self, wechat: &ScriptedWeChat) -> Self {
        self.scripted = Some(wechat.clone());
        self
    }

    /// Sets a variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The content of `weauth.toml`, for a world with one mini-program.
    pub fn file(mut self, toml: &str) -> Self {
        self.file = Some(toml.to_owned());
        self
    }

    /// Makes the server reach its database under this URL (migrations go straight to it).
    pub fn database_url(mut self, url: String) -> Self {
        self.database_url = Some(url);
        self
    }

    /// Applies the migrations and starts the server.
    pub async fn start(self) -> TestApp {
        let folder = TempDir::new().unwrap();
        let apps: Vec<TestMiniProgram> =
            (0..self.apps).map(|_| TestMiniProgram { appid: appid(), secret: app_secret() }).collect();
        let ledger = Ledger::default();
        let master_key = master_key();
        ledger.keep_secret(Secret::MasterKey, &master_key);
        ledger.keep_secret(Secret::SessionKey, SESSION_KEY);
        if let Some(password) = self.database.password() {
            ledger.keep_secret(Secret::DatabasePassword, &password);
        }
        for app in &apps {
            ledger.keep_secret(Secret::OfApp, &app.secret);
        }
        let simulator = self.scripted.is_none().then(|| Simulator::start(folder.path(), &apps));
        let wechat = match (&self.scripted, &simulator) {
            (Some(scripted), _) => scripted.url(),
            (None, simulator) => simulator.as_ref().map(Simulator::url).unwrap_or_default(),
        };
        let mut environment = vec![
            ("DATABASE_URL", self.database.url()),
            ("WECHAT_API_BASE", wechat),
            ("WEAUTH_LISTEN", "127.0.0.1:0".to_owned()),
            ("WEAUTH_PUBLIC_URL", ISSUER.to_owned()),
            ("WEAUTH_MASTER_KEY", master_key),
            ("RUST_LOG", "debug".to_owned()), // the more is logged, the more could leak
        ];
        if let [app] = apps.as_slice() {
            environment.push(("WECHAT_APPID", app.appid.clone()));
            environment.push(("WECHAT_SECRET", app.secret.clone()));
        } else {
            std::fs::write(folder.path().join("apps.toml"), toml_of(&apps)).unwrap();
        }
        if let Some(toml) = self.file {
            std::fs::write(folder.path().join("weauth.toml"), toml).unwrap();
        }
        let mut environment: Vec<(String, String)> =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(self.environment);
        let world = World { apps, ledger, simulator, environment, folder, _database: self.database };
        let migrated = world.run(&["migrate"]);
        assert!(migrated.status.success(), "weauth migrate: {}", migrated.said);

        let overrides: Vec<_> =
            self.database_url.map(|url| ("DATABASE_URL".to_owned(), url)).into_iter().collect();
        TestApp::start(Arc::new(world), overrides).await
    }
}

/// A new appid.
pub fn appid() -> String {
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("wx{}", &random[16..])
}

/// A new AppSecret.
pub fn app_secret() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// A new master key.
pub fn master_key() -> String {
    use base64::Engine;
    let bytes = [uuid::Uuid::now_v7().into_bytes(), uuid::Uuid::now_v7().into_bytes()].concat();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn toml_of(apps: &[TestMiniProgram]) -> String {
    apps.iter().fold(String::new(), |mut toml, TestMiniProgram { appid, secret }| {
        writeln!(toml, "[[apps]]\nappid = \"{appid}\"\nsecret = \"{secret}\"\nname = \"shop {appid}\"")
            .unwrap();
        toml
    })
}

//! `weauth simulate` as a child process, and the calls with which a test acts as the phone and injects faults.

use super::ledger::Ledger;
use super::process::Process;
use super::world::TestMiniProgram;
use serde_json::Value;
use std::path::Path;

/// The simulator of one test.
pub struct Simulator {
    process: Process,
    url: String,
}

impl Simulator {
    /// Starts it with these mini-programs.
    pub fn start(folder: &Path, apps: &[TestMiniProgram]) -> Self {
        let mut arguments = vec!["simulate".to_owned(), "--listen".to_owned(), "127.0.0.1:0".to_owned()];
        for TestMiniProgram { appid, secret } in apps {
            arguments.extend(["--app".to_owned(), format!("{appid}:{secret}")]);
        }
        let process = Process::weauth(folder, &arguments, &[]);
        Self { url: process.address(), process }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// A code of `wx.login` for this person, which spells out their name.
    pub fn code(person: &str) -> String {
        format!("sim.{person}.{}", uuid::Uuid::now_v7().simple())
    }

    /// Makes it misbehave.
    pub async fn fault(&self, http: &reqwest::Client, fault: Value) {
        let request = http.post(format!("{}/simulator/faults", self.url)).body(fault.to_string());
        let answer = request.send().await.expect("the simulator answers");
        assert!(answer.status().is_success(), "{fault}: {}", answer.text().await.unwrap());
    }

    /// Its call counts so far, by endpoint.
    pub async fn counters(&self, http: &reqwest::Client) -> Value {
        let answer = http.get(format!("{}/simulator/counters", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).expect("counters are JSON")
    }

    /// Ends it. Of its log only panics are recorded: WeChat may know its secrets, but must not panic.
    pub fn end(self, ledger: &Ledger) {
        self.process.kill();
        let panics = |line: &String| line.contains("panicked");
        ledger.said(self.process.final_lines().into_iter().filter(panics).collect());
    }
}

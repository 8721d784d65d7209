//! A running server, with the actions of its users.

use super::answer::Answer;
use super::ledger::Secret;
use super::login::Login;
use super::process::{Finished, Process};
use super::scripted::ScriptedWeChat;
use super::world::{Builder, TestMiniProgram, World};
use super::{Database, simulator::Simulator};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer of the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server and its world. The server is killed on drop.
pub struct TestApp {
    /// Its base URL.
    pub url: String,
    server: Process,
    http: reqwest::Client,
    overrides: Vec<(String, String)>,
    world: Arc<World>,
}

impl TestApp {
    /// A server with one mini-program, a simulator and default settings.
    pub async fn on(database: Database) -> Self {
        Builder::new(database).start().await
    }

    /// The same with a scripted WeChat.
    pub async fn with_wechat(database: Database, wechat: &ScriptedWeChat) -> Self {
        Builder::new(database).wechat(wechat).start().await
    }

    pub(super) async fn start(world: Arc<World>, overrides: Vec<(String, String)>) -> Self {
        let server = world.serve(&overrides);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .unwrap();
        Self { url: server.address(), server, http, overrides, world }
    }

    /// Another server in the same world: same database, same WeChat, same settings.
    pub async fn second_node(&self) -> Self {
        Self::start(Arc::clone(&self.world), self.overrides.clone()).await
    }

    /// Another server in the same world, with one setting of its own.
    pub async fn second_node_with(&self, name: &str, value: &str) -> Self {
        let mut overrides = self.overrides.clone();
        overrides.push((name.to_owned(), value.to_owned()));
        Self::start(Arc::clone(&self.world), overrides).await
    }

    /// Runs another command of `weauth` with this server's settings.
    pub fn weauth(&self, arguments: &[&str]) -> Finished {
        self.world.run(arguments)
    }

    /// Runs another command of `weauth` with some settings of its own.
    pub fn weauth_with(&self, arguments: &[&str], overrides: &[(&str, &str)]) -> Finished {
        self.world.run_with(arguments, overrides)
    }

    /// Adds an API key, and records it in the ledger.
    #[track_caller]
    pub fn add_api_key(&self, name: &str, scopes: &[&str]) -> String {
        let mut arguments = vec!["keys", "api", "add", name];
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        let added = self.world.run_for_secret(Secret::ApiKey, &arguments);
        assert!(added.status.success(), "{}", added.said);
        added.printed
    }

    /// Starts another command of `weauth` without waiting for it to end.
    pub fn begin_weauth(&self, arguments: &[&str], overrides: &[(&str, &str)]) -> Process {
        self.world.begin(arguments, overrides)
    }

    /// What this server has logged so far.
    pub fn log(&self) -> String {
        self.server.lines().join("\n")
    }

    /// The folder in which this world's programs run.
    pub fn folder(&self) -> &std::path::Path {
        self.world.folder()
    }

    /// The value of a variable of this world.
    pub fn setting(&self, name: &str) -> String {
        self.world.setting(name)
    }

    // ---- the mini-program ----

    /// The first mini-program.
    pub fn app(&self) -> &TestMiniProgram {
        &self.world.apps[0]
    }

    /// Every mini-program.
    pub fn apps(&self) -> &[TestMiniProgram] {
        &self.world.apps
    }

    /// A code of `wx.login` for this person.
    pub fn code_for(&self, person: &str) -> String {
        let code = Simulator::code(person);
        self.world.ledger.keep_secret(Secret::LoginCode, &code);
        code
    }

    /// Signs this person in.
    pub async fn login(&self, person: &str) -> Login {
        let code = self.code_for(person);
        Login::from(&self.login_with(json!({"code": code})).await)
    }

    /// Posts this to `/login`.
    pub async fn login_with(&self, body: Value) -> Answer {
        self.post_json("/login", body).await
    }

    /// Posts this to `/login` with an idempotency key.
    pub async fn login_as_repeat(&self, code: &str, idempotency_key: &str) -> Answer {
        self.note_code(&json!({"code": code}));
        let request = self.request(Method::POST, "/login").header("Idempotency-Key", idempotency_key);
        self.send(request.header("Content-Type", "application/json").body(json!({"code": code}).to_string()))
            .await
    }

    /// Requests `/me` with this token.
    pub async fn me(&self, token: &str) -> Answer {
        self.send(self.request(Method::GET, "/me").bearer_auth(token)).await
    }

    // ---- HTTP ----

    /// GETs a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// POSTs JSON.
    pub async fn post_json(&self, path: &str, body: Value) -> Answer {
        self.note_code(&body);
        let request = self.request(Method::POST, path).header("Content-Type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    /// POSTs a body of this type, unchanged.
    pub async fn post(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path).header("Content-Type", content_type);
        self.send(request.body(body.to_owned())).await
    }

    /// A request for the test to complete.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request that must be answered.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.expect("the server answers")
    }

    /// Sends a request that may not be answered.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let path = response.url().path().to_owned();
        let answer = Answer::read(response).await?;
        for token in ["access_token", "refresh_token"] {
            if let Some(token) = answer.json()[token].as_str() {
                self.world.ledger.keep_secret(Secret::Token, token);
            }
        }
        self.world.ledger.answered(&path, &format!("{:?} {}", answer.headers, answer.text));
        Ok(answer)
    }

    /// Opens a raw connection.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap()
    }

    /// Writes these bytes on a raw connection and reads until the server closes it.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut connection = self.connect().await;
        connection.write_all(bytes).await.ok(); // a server may refuse before it has read it all
        let mut answer = Vec::new();
        let read = tokio::time::timeout(TIMEOUT, connection.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the server held the connection for {TIMEOUT:?}");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        self.world.ledger.answered("a bare connection", &answer);
        answer
    }

    /// Forbids this text in logs and responses.
    pub fn keep_secret(&self, text: &str) {
        self.world.ledger.keep_secret(Secret::UpstreamBody, text);
    }

    fn note_code(&self, body: &Value) {
        if let Some(code) = body["code"].as_str() {
            self.world.ledger.keep_secret(Secret::LoginCode, code);
        }
    }

    // ---- WeChat ----

    fn simulator(&self) -> &Simulator {
        self.world.simulator.as_ref().expect("this world has a scripted WeChat, not the simulator")
    }

    /// Makes the simulator misbehave.
    pub async fn fault(&self, fault: Value) {
        self.simulator().fault(&self.http, fault).await;
    }

    /// The simulator's call counts so far.
    pub async fn counters(&self) -> Value {
        self.simulator().counters(&self.http).await
    }

    // ---- the process ----

    /// Sends SIGTERM without waiting.
    pub fn terminate(&self) {
        self.server.terminate();
    }

    /// Waits until the server has ended by itself.
    pub fn end(&self) -> ExitStatus {
        self.server.end()
    }

    /// Stops the server as a service manager does; it must exit successfully.
    #[track_caller]
    pub fn stop(&self) {
        self.terminate();
        let status = self.end();
        assert!(status.success(), "after SIGTERM the server ended with {status}");
    }

    /// Waits until the server logs a line that contains this.
    pub fn wait_for_line(&self, text: &str) {
        self.server.wait_for(text, |line| line.contains(text).then_some(()));
    }

    /// Waits until the server has logged so many lines that contain this.
    pub fn wait_for_lines(&self, count: usize, text: &str) {
        self.server.wait_for_lines(count, text);
    }

    /// How many warnings contain this.
    pub fn warnings_with(&self, text: &str) -> usize {
        self.lines_of(" WARN ", text)
    }

    /// How many errors contain this.
    pub fn errors_with(&self, text: &str) -> usize {
        self.lines_of(" ERROR ", text)
    }

    fn lines_of(&self, level: &str, text: &str) -> usize {
        self.server.lines().iter().filter(|line| line.contains(level) && line.contains(text)).count()
    }

    /// Kills the server as a power cut would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Starts the server again after it was stopped or killed.
    pub async fn restart(&self) -> Self {
        Self::start(Arc::clone(&self.world), self.overrides.clone()).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.kill();
        self.world.ledger.said(self.server.final_lines());
    }
}

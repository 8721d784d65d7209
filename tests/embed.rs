//! Runs `examples/embed.rs` as a reader would: the real binary, against the simulated WeChat.

#![expect(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use weauth::{AuthenticatedUser, Problem, StoreError};

const APPID: &str = "wx5eb1a7d09c3f2e64";
const SECRET: &str = "c5d20b7e91f84a63b7e6d1f0283c9a54";
const MASTER_KEY: &str = "u3Zk1pVq7bS0n2Yx9cD4fG6hJ8kL5mN1oP3qR7sT9vA=";
const ROLES: &str = "[roles.editor]\npermissions = [\"notes:read_all\"]\n";

/// A program that ends with the test.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts it, and waits until it prints where it listens.
    fn start(command: &mut Command) -> Self {
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut running = Self { child, address: String::new() };
        let mut lines = BufReader::new(running.child.stderr.take().unwrap());
        running.address = address_in(&mut lines);
        // Keep reading, or the program would block on a full pipe.
        std::thread::spawn(move || lines.lines().for_each(drop));
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The address in `listening on http://…`.
fn address_in(lines: &mut BufReader<ChildStderr>) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            panic!("it ended before it listened, and said: {said}");
        }
        if let Some((_, rest)) = line.split_once("listening on http://") {
            return rest.split_whitespace().next().unwrap().to_owned();
        }
        said.push_str(&line);
    }
}

/// Cargo builds examples next to the tests: `target/<profile>/examples`.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().and_then(Path::parent).unwrap().join("examples/embed");
    assert!(example.exists(), "{} is not built: run `cargo build --examples`", example.display());
    example
}

/// The example, the WeChat simulator that it calls, and a client.
struct World {
    api: Running,
    _wechat: Running,
    folder: tempfile::TempDir,
    client: Client,
}

impl World {
    fn start() -> Self {
        let mut simulate = Command::new(env!("CARGO_BIN_EXE_weauth"));
        let wechat = Running::start(simulate.env_clear().args(["simulate", "--listen", "127.0.0.1:0"]));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weauth.toml"), ROLES).unwrap();
        let api_base = format!("http://{}", wechat.address);
        let settings = [
            ("DATABASE_URL", "sqlite://embed.db"),
            ("WECHAT_APPID", APPID),
            ("WECHAT_SECRET", SECRET),
            ("WECHAT_API_BASE", &api_base),
            ("WEAUTH_MASTER_KEY", MASTER_KEY),
            ("WEAUTH_LISTEN", "127.0.0.1:0"),
        ];
        let mut embed = Command::new(example());
        let api = Running::start(embed.current_dir(folder.path()).env_clear().envs(settings));
        Self { api, _wechat: wechat, folder, client: Client::builder().no_proxy().build().unwrap() }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.api.address))
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(format!("http://{}{path}", self.api.address));
        request.header("content-type", "application/json").body(body.to_string())
    }

    /// Logs in; returns the token and the user's id.
    async fn login(&self, code: &str) -> (String, String) {
        let (status, answer) = json_of(self.post("/auth/login", &json!({"code": code}))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer["access_token"]), text(&answer["user"]["id"]))
    }

    /// Grants a role at the terminal.
    fn grant(&self, user: &str, role: &str) {
        let mut weauth = Command::new(env!("CARGO_BIN_EXE_weauth"));
        weauth.current_dir(self.folder.path()).env_clear().env("DATABASE_URL", "sqlite://embed.db");
        let granted = weauth.args(["users", "grant", user, role]).output().unwrap();
        assert!(granted.status.success(), "{granted:?}");
    }
}

async fn json_of(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn each_user_sees_their_own_notes() {
    let world = World::start();
    let (alice, alices_id) = world.login("sim.alice.1").await;
    let (bob, bobs_id) = world.login("sim.bob.1").await;
    assert_ne!(alices_id, bobs_id);
    for (token, text) in [(&alice, "milk"), (&bob, "bread"), (&alice, "tea")] {
        let request = world.post("/notes", &json!({"text": text})).bearer_auth(token);
        assert_eq!(json_of(request).await, (StatusCode::CREATED, json!({"text": text})));
    }
    let alices = json_of(world.get("/notes").bearer_auth(&alice)).await;
    assert_eq!(alices, (StatusCode::OK, json!([{"text": "milk"}, {"text": "tea"}])));
    let (again, same_id) = world.login("sim.alice.2").await;
    assert_eq!(same_id, alices_id);
    assert_eq!(json_of(world.get("/notes").bearer_auth(&again)).await, alices);
    let bobs = json_of(world.get("/notes").bearer_auth(&bob)).await;
    assert_eq!(bobs, (StatusCode::OK, json!([{"text": "bread"}])));
}

#[tokio::test]
async fn a_handler_that_takes_a_user_answers_nobody_else() {
    let world = World::start();
    let response = world.get("/notes").header("accept-language", "zh-CN").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let problem: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!((&problem["code"], &problem["retry"]), (&json!("token_missing"), &json!("relogin")));
    assert_eq!(problem["title"], "缺少访问令牌");
    let (status, problem) = json_of(world.get("/notes").bearer_auth("a.b.c")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("token_invalid")));
    let unwritten = json_of(world.post("/notes", &json!({"text": "x"}))).await;
    assert_eq!(unwritten.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_role_opens_what_it_permits_to_tokens_that_are_out_within_a_second() {
    let world = World::start();
    let (token, id) = world.login("sim.alice.1").await;
    let all = || world.get("/notes/all").bearer_auth(&token).header("accept-language", "zh-CN");
    let (status, problem) = json_of(all()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("permission_denied")));
    assert_eq!(problem["title"], "权限不足");
    world.grant(&id, "editor");
    let deadline = Instant::now() + Duration::from_secs(1);
    while json_of(world.get("/notes/all").bearer_auth(&token)).await != (StatusCode::OK, json!({})) {
        assert!(Instant::now() < deadline, "the token still speaks with its old roles");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (token, _) = world.login("sim.alice.2").await;
    assert_eq!(json_of(world.get("/notes/all").bearer_auth(&token)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_scope_keeps_to_itself() {
    let world = World::start();
    for path in ["/auth/nowhere", "/auth", "/auth/"] {
        let response = world.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!((&problem["code"], &problem["request_id"]), (&json!("not_found"), &json!(id)));
    }
    let (status, problem) = json_of(world.get("/auth/login")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed")));
    for path in [
        "/auth/healthz",
        "/auth/readyz",
        "/auth/.well-known/jwks.json",
        "/auth/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(json_of(world.get(path)).await.0, StatusCode::OK, "{path}");
    }
    for path in ["/nowhere", "/login", "/me", "/healthz", "/authority"] {
        let response = world.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!response.headers().contains_key("x-request-id"), "{path}");
        assert_eq!(response.bytes().await.unwrap(), "", "{path}");
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(example()).current_dir(folder.path()).env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().any(|line| line.starts_with("WEAUTH_MASTER_KEY")), "{said}");
}

/// Keeps the errors that are logged in this process.
struct Errors(Mutex<Vec<String>>);

impl log::Log for Errors {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Error
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[actix_web::test]
async fn what_fails_outside_of_the_scope_is_logged_once_too() {
    static ERRORS: Errors = Errors(Mutex::new(Vec::new()));
    log::set_logger(&ERRORS).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let of_a_user = async |_: AuthenticatedUser| "never called";
    let of_a_database = async || Err::<&str, _>(Problem::from(StoreError::Crashed));
    let app = App::new().route("/user", web::get().to(of_a_user));
    let app = init_service(app.route("/database", web::get().to(of_a_database))).await;

    for (path, code, cause) in [
        ("/user", "overloaded", "AuthenticatedUser is used in an App without `weauth.extractor`"),
        ("/database", "database_unavailable", "the database failed: a query crashed"),
    ] {
        let response = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(response.status().as_u16(), 503, "{path}");
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], code, "{path}");
        assert!(!problem.to_string().contains(cause), "{problem}");
        assert_eq!(std::mem::take(&mut *ERRORS.0.lock().unwrap()), [cause], "{path}");
    }
}

//! The README's configuration in a real nginx, between a client, weauth and a backend.

use crate::harness::{Answer, Builder, Database, Login, Process, TestApp, on_both, on_sqlite, readme_block};
use reqwest::{Client, Method};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

on_both!(an_ended_session_gets_no_further_than_nginx);
on_sqlite!(
    the_backend_hears_from_nginx_who_the_user_is,
    nobody_can_say_who_they_are_themselves,
    a_refusal_reaches_the_client_as_weauth_wrote_it,
);

const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n";

/// Header names that a client could try to spoof.
const SPOOFED: [&str; 8] = [
    "X-User-Id",
    "x-user-roles",
    "X-User-Permissions",
    "X-User-App",
    "X-Session-Id",
    "X_User_Id",
    "X_User_Roles",
    "X_User_Permissions",
];

async fn the_backend_hears_from_nginx_who_the_user_is(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let nginx = Nginx::before(&app).await;
    let alice = app.login("alice").await;
    db.grant(alice.user_id(), "editor");
    let alice = app.login("alice").await;

    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let answer = nginx.send(method.clone(), "/api/notes?permission=x&y=1", Some(&alice), "a body").await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        assert!(answer.text.starts_with(&format!("{method} /api/notes?permission=x&y=1 ")), "{answer:?}");
        assert!(answer.text.ends_with("\r\n\r\na body"), "the body goes to the backend alone: {answer:?}");
        assert_heard(&answer, &alice, Some("editor"), Some("notes:read,notes:write"));
    }
    assert_eq!(nginx.send(Method::HEAD, "/api/notes", Some(&alice), "").await.status, 200);
}

async fn nobody_can_say_who_they_are_themselves(db: Database) {
    let app = TestApp::on(db).await;
    let nginx = Nginx::before(&app).await;
    let bob = app.login("bob").await;

    let mut request = nginx.request(Method::GET, "/api/notes", Some(&bob));
    for name in SPOOFED {
        request = request.header(name, "spoofed").header(name, "spoofed-again");
    }
    let answer = Answer::read(request.send().await.unwrap()).await.unwrap();

    assert_eq!(answer.status, 200);
    assert!(!answer.text.contains("spoofed"), "{}", answer.text);
    assert_heard(&answer, &bob, None, None);
}

async fn a_refusal_reaches_the_client_as_weauth_wrote_it(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let nginx = Nginx::before(&app).await;
    let bob = app.login("bob").await;

    for method in [Method::GET, Method::POST] {
        nginx.send(method.clone(), "/api/notes", None, "a body").await.problem(401, "token_missing");
    }
    let head = nginx.send(Method::HEAD, "/api/notes", None, "").await;
    assert_eq!((head.status.as_u16(), head.header("www-authenticate")), (401, r#"Bearer realm="weauth""#));
    let forged = nginx.request(Method::GET, "/api/notes", None).bearer_auth("x.y.z");
    let forged = Answer::read(forged.send().await.unwrap()).await.unwrap();
    let problem = forged.problem(401, "token_invalid");
    assert_eq!(problem["retry"], "relogin", "on which the mini-program acts");
    assert!(forged.header("www-authenticate").contains(r#"error="invalid_token""#), "{forged:?}");
    // Clients can't reach the internal location itself.
    assert_eq!(nginx.send(Method::GET, "/_verify", Some(&bob), "").await.status, 404);

    let asking = Nginx::with(&app, |configuration| {
        configuration.replace("/verify;", "/verify?permission=notes:read;")
    })
    .await;
    let denied = asking.send(Method::GET, "/api/notes", Some(&bob), "").await;
    denied.problem(403, "permission_denied");
    assert!(denied.header("www-authenticate").contains(r#"error="insufficient_scope""#), "{denied:?}");
}

async fn an_ended_session_gets_no_further_than_nginx(db: Database) {
    let app = TestApp::on(db).await;
    let nginx = Nginx::before(&app).await;
    let login = app.login("alice").await;
    assert_eq!(nginx.send(Method::GET, "/api/notes", Some(&login), "").await.status, 200);

    app.send(app.request(Method::POST, "/logout").bearer_auth(&login.access_token)).await;

    let answer = nginx.send(Method::GET, "/api/notes", Some(&login), "").await;
    answer.problem(401, "token_revoked");
}

/// Asserts which user headers the backend received; for an empty list there is none.
#[track_caller]
fn assert_heard(answer: &Answer, login: &Login, roles: Option<&str>, permissions: Option<&str>) {
    let claims = login.claims();
    let expected = [
        ("x-user-id", claims["sub"].as_str()),
        ("x-user-roles", roles),
        ("x-user-permissions", permissions),
        ("x-user-app", claims["client_id"].as_str()),
        ("x-session-id", claims["sid"].as_str()),
    ];
    let (head, _) = answer.text.split_once("\r\n\r\n").expect("the head as the backend saw it");
    for (name, value) in expected {
        let of_that_name = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        let heard: Vec<&str> =
            head.lines().filter(of_that_name).map(|line| &line[name.len() + 2..]).collect();
        assert_eq!(heard, value.into_iter().collect::<Vec<_>>(), "{name} in:\n{head}");
    }
}

/// A running nginx with a backend behind it that echoes the request.
struct Nginx {
    url: String,
    http: Client,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    async fn before(app: &TestApp) -> Self {
        Self::with(app, |configuration| configuration).await
    }

    async fn with(app: &TestApp, change: impl FnOnce(String) -> String) -> Self {
        let weauth = app.url.trim_start_matches("http://");
        let shown = readme_block("nginx", "auth_request")
            .replace("127.0.0.1:8080", weauth)
            .replace("127.0.0.1:3000", &echoing_backend().await);
        let shown = change(shown);
        for _ in 0..5 {
            if let Some(nginx) = Self::try_start(&shown).await {
                return nginx;
            }
        }
        panic!("nginx did not start on five free ports");
    }

    /// `None` if somebody else took the port between the check and the start.
    async fn try_start(locations: &str) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        let folder = TempDir::new().unwrap();
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr notice;\n\
             events {{}}\nhttp {{\n access_log off;\n client_body_temp_path body; proxy_temp_path proxy;\n \
             fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n \
             server {{\n listen {address};\n{locations}}}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        drop(free);
        let mut nginx = Command::new(program());
        nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        let process = Process::start(nginx);
        let url = format!("http://{address}");
        let http = Client::builder().no_proxy().build().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while http.get(format!("{url}/up")).send().await.is_err() {
            let lines = process.lines().join("\n");
            if lines.contains("Address already in use") {
                return None;
            }
            assert!(
                Instant::now() < deadline && !lines.contains("[emerg]"),
                "nginx does not listen:\n{lines}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { url, http, _process: process, _folder: folder })
    }

    fn request(&self, method: Method, path: &str, login: Option<&Login>) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match login {
            Some(login) => request.bearer_auth(&login.access_token),
            None => request,
        }
    }

    async fn send(&self, method: Method, path: &str, login: Option<&Login>, body: &str) -> Answer {
        let request = self.request(method, path, login).body(body.to_owned());
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }
}

/// The nginx binary, which many systems keep outside a normal user's PATH.
fn program() -> &'static str {
    let found = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"]
        .into_iter()
        .find(|nginx| Command::new(nginx).arg("-v").output().is_ok());
    found.expect("nginx is missing: `tests/run` installs it, or install the package 'nginx-light'")
}

/// A backend that answers every request with that request, verbatim.
async fn echoing_backend() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !is_whole(&request)
                    && connection.read_buf(&mut request).await.is_ok_and(|read| read > 0)
                {}
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    request.len()
                );
                connection.write_all(&[head.as_bytes(), &request].concat()).await.ok();
            });
        }
    });
    address.to_string()
}

/// Whether the request has arrived to the end of its body.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

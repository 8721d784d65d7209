//! What is too large, too slow or not HTTP is refused or cut off, never held.

use crate::harness::{Database, TestApp, on_sqlite};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

on_sqlite!(
    a_body_over_64_kib_is_too_large,
    a_body_of_64_kib_is_read,
    a_chunked_body_is_counted_too,
    headers_over_16_kib_are_refused,
    what_is_no_http_is_refused,
    a_request_that_does_not_arrive_in_time_is_cut_off,
    a_late_head_leaves_the_body_what_is_left,
    a_slow_client_holds_nobody_else,
    a_client_that_takes_no_answers_is_cut_off,
);

const BODY_LIMIT: usize = 64 * 1024;

/// A request gets 10 seconds to arrive; the rest is for a loaded machine.
const CUT_OFF: Duration = Duration::from_secs(16);

async fn a_body_over_64_kib_is_too_large(db: Database) {
    let app = TestApp::on(db).await;
    for content_type in ["application/json", "application/x-www-form-urlencoded"] {
        let body = format!("code={}", "x".repeat(BODY_LIMIT + 1 - "code=".len()));
        app.post("/login", content_type, &body).await.problem(413, "payload_too_large");
    }
    let announced = "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                     content-length: 99999999999\r\nconnection: close\r\n\r\n";
    let answer = app.raw(announced.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "an announced body is not waited for: {answer}");
}

async fn a_body_of_64_kib_is_read(db: Database) {
    let app = TestApp::on(db).await;
    let mut body = json!({"code": app.code_for("alice")}).to_string();
    body.push_str(&" ".repeat(BODY_LIMIT - body.len()));

    app.post("/login", "application/json", &body).await.ok();
}

async fn a_chunked_body_is_counted_too(db: Database) {
    let app = TestApp::on(db).await;
    let mut request = b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        .to_vec();
    for _ in 0..(BODY_LIMIT / 4096 + 1) {
        request.extend_from_slice(b"1000\r\n");
        request.extend_from_slice(&[b' '; 4096]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");

    let answer = app.raw(&request).await;

    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("payload_too_large"), "{answer}");
}

async fn headers_over_16_kib_are_refused(db: Database) {
    let app = TestApp::on(db).await;
    let long = "x".repeat(20 * 1024);
    for request in [
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\nconnection: close\r\n\r\n"),
        format!("GET /healthz?{long} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}connection: close\r\n\r\n", "a: b\r\n".repeat(4000)),
        format!("{long} /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        format!("GET http://{long}/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
    ] {
        let answer = app.raw(request.as_bytes()).await;
        assert!(is_refusal(&answer), "{answer}");
    }
    let fits = "x".repeat(12 * 1024);
    let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {fits}\r\nconnection: close\r\n\r\n");
    let answer = app.raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn what_is_no_http_is_refused(db: Database) {
    let app = TestApp::on(db).await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n".as_slice(),
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let answer = app.raw(bytes).await;
        assert!(is_refusal(&answer), "{:?} gives {answer}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(app.get("/healthz").await.status, 200);
}

async fn a_request_that_does_not_arrive_in_time_is_cut_off(db: Database) {
    let app = TestApp::on(db).await;
    let head = b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n";
    let whole_head = [head.as_slice(), b"\r\n"].concat();
    let chunked = b"GET /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked_login = b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let (silent, half_a_head, half_a_body, dripping_head, dripping_body, no_chunk, chunks, no_login, logins) = tokio::join!(
        cut_off_after(&app, b"", b""),
        cut_off_after(&app, head, b""),
        cut_off_after(&app, &whole_head, b""),
        cut_off_after(&app, head, b"x"),
        cut_off_after(&app, &whole_head, b" "),
        cut_off_after(&app, chunked, b""),
        cut_off_after(&app, chunked, b"1\r\nx\r\n"),
        cut_off_after(&app, chunked_login, b""),
        cut_off_after(&app, chunked_login, b"1\r\n \r\n"),
    );
    for (what, (answer, time)) in [
        ("nothing at all", silent),
        ("half a head", half_a_head),
        ("half a body", half_a_body),
        ("a head that drips", dripping_head),
        ("a body that drips", dripping_body),
    ] {
        assert!(time < CUT_OFF, "{what} held the connection for {time:?}");
        assert!(is_refusal(&answer), "{what} gives {answer}");
    }
    for (what, (answer, time)) in [
        ("no chunk", no_chunk),
        ("chunks", chunks),
        ("no chunk to log in", no_login),
        ("chunks to log in", logins),
    ] {
        assert!(time < CUT_OFF, "{what} held the connection for {time:?}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{what} gives {answer}");
    }
}

async fn a_late_head_leaves_the_body_what_is_left(db: Database) {
    let app = TestApp::on(db).await;
    let (mut read, mut write) = app.connect().await.into_split();
    let began = Instant::now();
    let head = b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n";
    write.write_all(head).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7)).await;
    write.write_all(b"\r\n{").await.unwrap();

    let mut answer = String::new();
    read.read_to_string(&mut answer).await.unwrap();

    assert!(answer.contains("did not arrive within 10 seconds"), "{answer}");
    assert!(began.elapsed() < CUT_OFF, "it held the connection for {:?}", began.elapsed());
}

async fn a_slow_client_holds_nobody_else(db: Database) {
    let app = TestApp::on(db).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut connection = app.connect().await;
        connection.write_all(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
        slow.push(connection);
    }
    let began = Instant::now();
    app.login("alice").await;
    assert!(began.elapsed() < Duration::from_secs(5), "the login took {:?}", began.elapsed());
}

/// Unread data is held for 75 seconds, measured by a kernel timer that checks less and less often.
async fn a_client_that_takes_no_answers_is_cut_off(db: Database) {
    let app = TestApp::on(db).await;
    let mut stream = app.connect().await;
    let request = b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let asking = async { while stream.write_all(&request).await.is_ok() {} };
    let cut_off = tokio::time::timeout(Duration::from_secs(120), asking).await;
    assert!(cut_off.is_ok(), "the connection is held for ever");
}

/// Sends `beginning` and then `drop` every second; returns the response and how long the server kept the connection.
async fn cut_off_after(app: &TestApp, beginning: &[u8], drop: &[u8]) -> (String, Duration) {
    let (mut read, mut write) = app.connect().await.into_split();
    let began = Instant::now();
    write.write_all(beginning).await.unwrap();
    let dripping = async {
        while !drop.is_empty() && write.write_all(drop).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let reading = async {
        let reading = tokio::time::timeout(CUT_OFF, read.read_to_end(&mut answer));
        reading.await.ok(); // a reset connection is cut off as well
    };
    tokio::select! { () = dripping => {}, () = reading => {} }
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

/// Whether the connection was closed without a response, or with a 4xx.
fn is_refusal(answer: &str) -> bool {
    answer.is_empty() || answer.starts_with("HTTP/1.1 4")
}

//! Sends a push to the developer's server: HTTP/1.0 over TCP, as far as a push needs it.

use serde::Serialize;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// WeChat tries three times in all.
const ATTEMPTS: usize = 3;

/// The longest response that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// One HTTP request.
pub(super) struct Request {
    pub(super) url: Url,
    /// `None` means GET.
    pub(super) body: Option<Body>,
}

/// The body of a POST.
pub(super) struct Body {
    pub(super) content_type: String,
    pub(super) text: String,
}

/// The result of an attempt.
#[derive(Debug, Serialize)]
pub(super) struct Attempt {
    /// The HTTP status, if there was a response.
    pub(super) status: Option<u16>,
    /// The body of the response.
    pub(super) body: String,
    /// Why there was no response.
    pub(super) error: Option<String>,
    /// Milliseconds that it took.
    pub(super) elapsed_ms: u128,
}

/// Tries until there is a response, three times at most, each with a timeout of `patience`. With `twice`, a
/// push that was answered is sent again, as happens when a response is late.
pub(super) async fn deliver(request: &Request, patience: Duration, twice: bool) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut answers = 0;
    while attempts.len() < ATTEMPTS && answers < 1 + usize::from(twice) {
        let attempt = attempt(request, patience).await;
        answers += usize::from(attempt.status.is_some());
        attempts.push(attempt);
    }
    attempts
}

async fn attempt(request: &Request, patience: Duration) -> Attempt {
    let started = Instant::now();
    let answer = tokio::time::timeout(patience, exchange(request)).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let elapsed_ms = started.elapsed().as_millis();
    match answer {
        Ok((status, body)) => Attempt { status: Some(status), body, error: None, elapsed_ms },
        Err(error) => {
            Attempt { status: None, body: String::new(), error: Some(error.to_string()), elapsed_ms }
        }
    }
}

async fn exchange(request: &Request) -> io::Result<(u16, String)> {
    let host = request.url.host_str().unwrap_or_default();
    let port = request.url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    stream.write_all(in_bytes(request, host, port).as_bytes()).await?;
    let mut answer = Vec::new();
    (&mut stream).take(MAX_ANSWER).read_to_end(&mut answer).await?;
    parse_answer(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Uses HTTP/1.0, so that the response is never chunked and ends with the connection.
fn in_bytes(request: &Request, host: &str, port: u16) -> String {
    let mut target = request.url.path().to_owned();
    if let Some(query) = request.url.query() {
        target = format!("{target}?{query}");
    }
    let common =
        format!("Host: {host}:{port}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nPragma: no-cache\r\n");
    match &request.body {
        None => format!("GET {target} HTTP/1.0\r\n{common}\r\n"),
        Some(Body { content_type, text }) => {
            let length = text.len();
            format!(
                "POST {target} HTTP/1.0\r\n{common}Content-Type: {content_type}\r\n\
                 Content-Length: {length}\r\n\r\n{text}"
            )
        }
    }
}

fn parse_answer(answer: &[u8]) -> Option<(u16, String)> {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_a_status_and_a_body() {
        assert_eq!(
            parse_answer(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nsuccess"),
            Some((200, "success".to_owned()))
        );
        assert_eq!(parse_answer(b"HTTP/1.1 500\r\n\r\n"), Some((500, String::new())));
        assert_eq!(parse_answer(b"nonsense\r\n\r\n"), None);
        assert_eq!(parse_answer(b""), None);
    }
}

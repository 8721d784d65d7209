//! A low-overhead load generator: HTTP/1.1 written by hand over keep-alive connections.

use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The result of a run of requests.
pub(crate) struct Load {
    pub answered: u64,
    pub failed: u64,
    pub seconds: f64,
    /// Of the answered requests, in microseconds.
    pub latency: Histogram<u64>,
}

impl Load {
    /// Only 200 counts as answered: a fast refusal must not look like a fast answer.
    fn note(&mut self, status: u16, took: Duration) {
        if status == 200 {
            self.answered += 1;
            self.latency.record(took.as_micros() as u64).expect("within bounds");
        } else {
            self.failed += 1;
        }
    }
}

/// Writes a request, given the body of the connection's last response (empty at first).
pub(crate) trait Write: Fn(&mut Vec<u8>, &[u8]) {}

impl<F: Fn(&mut Vec<u8>, &[u8])> Write for F {}

/// Keeps `connections` busy for `duration`; each sends what `request` writes, one request after the other.
pub(crate) async fn load(
    address: &str,
    connections: usize,
    duration: Duration,
    request: impl Write + Clone + 'static,
) -> Load {
    let total = Rc::new(RefCell::new(Load { answered: 0, failed: 0, seconds: 0.0, latency: histogram() }));
    let began = Instant::now();
    let local = tokio::task::LocalSet::new();
    for _ in 0..connections {
        let (address, request, total) = (address.to_owned(), request.clone(), total.clone());
        local.spawn_local(async move {
            let mut connection = Connection::open(&address).await;
            while began.elapsed() < duration {
                let sent = Instant::now();
                let status = connection.exchange(&request).await;
                total.borrow_mut().note(status, sent.elapsed());
                if status == 0 {
                    connection = Connection::open(&address).await;
                }
            }
        });
    }
    local.await;
    let mut total = Rc::into_inner(total).expect("all tasks have ended").into_inner();
    total.seconds = began.elapsed().as_secs_f64();
    total
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds")
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    buffer: Vec<u8>,
    /// Where the last response's body begins.
    body: usize,
    filled: usize,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, out: Vec::new(), buffer: vec![0; 8 * 1024], body: 0, filled: 0 }
    }

    /// Sends a request, reads the whole response and returns its status.
    pub(crate) async fn exchange(&mut self, request: &impl Write) -> u16 {
        self.out.clear();
        request(&mut self.out, &self.buffer[self.body..self.filled]);
        if self.stream.write_all(&self.out).await.is_err() {
            return 0;
        }
        (self.body, self.filled) = (0, 0);
        loop {
            if let Some((status, body, end)) = complete(&self.buffer[..self.filled])
                && self.filled >= end
            {
                self.body = body;
                return status;
            }
            match self.stream.read(&mut self.buffer[self.filled..]).await {
                Ok(0) | Err(_) => return 0,
                Ok(count) => self.filled += count,
            }
        }
    }

    /// The body of the last response.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body..self.filled]
    }
}

/// The status and the start and end of the body, once the head is complete.
fn complete(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let head = find(bytes, b"\r\n\r\n")?;
    let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text
        .split("\r\n")
        .find_map(|line| {
            line.get(..15).filter(|name| name.eq_ignore_ascii_case("content-length:")).map(|_| &line[15..])
        })
        .and_then(|value| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    Some((status, head + 4, head + 4 + length))
}

/// The position of the first occurrence.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Writes a POST of JSON.
pub(crate) fn post_json(out: &mut Vec<u8>, path: &str, body: &str) {
    out.extend_from_slice(
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
}

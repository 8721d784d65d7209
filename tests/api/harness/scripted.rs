//! A WeChat that answers exactly what a test tells it, byte for byte, for responses that no well-behaved simulator
//! would give. The response is chosen by the code in the request.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How an exchange is answered.
#[derive(Clone)]
pub enum Reply {
    /// 200 and this JSON, labelled `text/plain` as WeChat does.
    Json(Value),
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// The connection is closed without a byte.
    Close,
    /// The connection is reset.
    Reset,
    /// The connection stays open and nothing is sent.
    Silence,
    /// A valid head, then a body that sends a byte now and then and never ends.
    Drip,
    /// A valid head, then a body that never ends, as fast as it is read.
    Endless,
    /// The next of these for each call; the last one for all further calls.
    InTurn(Vec<Reply>),
    /// Waits until the test opens the gate, then answers.
    Gate(Arc<Gate>, Box<Reply>),
}

impl Reply {
    /// A WeChat error.
    pub fn errcode(errcode: i64) -> Self {
        Self::Json(json!({"errcode": errcode, "errmsg": "as asked, rid: 6166f719-6cb5d09c-633ab469"}))
    }

    /// A response with this status, content type and body.
    pub fn http(status: &str, content_type: &str, body: &str) -> Self {
        Self::Bytes(http(status, content_type, body))
    }

    /// A successful exchange for this user.
    pub fn user(openid: &str) -> Self {
        Self::Json(json!({"openid": openid, "session_key": SESSION_KEY}))
    }
}

/// The session key in every response of [`Reply::user`].
pub const SESSION_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";

/// Holds responses back until it is opened, and counts those waiting.
pub struct Gate {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Arc<Self> {
        Arc::new(Self { open: watch::Sender::new(false), waiting: watch::Sender::new(0) })
    }

    /// Lets every waiting and every later response through.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until this many exchanges are at the gate.
    pub async fn reached_by(&self, exchanges: usize) {
        let mut waiting = self.waiting.subscribe();
        let arrived = tokio::time::timeout(Duration::from_secs(30), waiting.wait_for(|n| *n >= exchanges));
        arrived.await.expect("the exchanges reach WeChat").unwrap();
    }

    async fn pass(&self) {
        self.waiting.send_modify(|n| *n += 1);
        self.open.subscribe().wait_for(|open| *open).await.ok();
    }
}

/// The scripted WeChat itself; it ends with the test's runtime.
#[derive(Clone)]
pub struct ScriptedWeChat {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    replies: HashMap<String, Reply>,
    calls: HashMap<String, usize>,
}

impl ScriptedWeChat {
    /// Listens on a loopback port. A code without a scripted reply gets a user of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wechat = Self { address: listener.local_addr().unwrap(), script: Arc::default() };
        let serving = wechat.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(connection).await });
            }
        });
        wechat
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Scripts the reply for this code.
    pub fn answer(&self, code: &str, reply: Reply) {
        self.script.lock().unwrap().replies.insert(code.to_owned(), reply);
    }

    /// How often this code was sent.
    pub fn calls(&self, code: &str) -> usize {
        self.script.lock().unwrap().calls.get(code).copied().unwrap_or(0)
    }

    async fn serve(&self, mut connection: TcpStream) {
        while let Some(code) = read_code(&mut connection).await {
            let mut reply = self.take_reply(&code);
            while let Reply::Gate(gate, then) = reply {
                gate.pass().await;
                reply = *then;
            }
            if deliver(&mut connection, reply).await.is_none() {
                return;
            }
        }
    }

    fn take_reply(&self, code: &str) -> Reply {
        let mut script = self.script.lock().unwrap();
        let call = script.calls.entry(code.to_owned()).or_default();
        let turn = *call;
        *call += 1;
        match script.replies.get(code) {
            Some(Reply::InTurn(replies)) => replies[turn.min(replies.len() - 1)].clone(),
            Some(reply) => reply.clone(),
            None => Reply::user(&openid_of(code)),
        }
    }
}

/// An openid that reveals nothing about the code.
fn openid_of(code: &str) -> String {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    format!("o{:027x}", hasher.finish())
}

/// Sends one reply; `None` if the connection can't be used any more.
async fn deliver(connection: &mut TcpStream, reply: Reply) -> Option<()> {
    match reply {
        Reply::Json(value) => {
            let answer = http("200 OK", "text/plain", &value.to_string());
            return connection.write_all(&answer).await.ok();
        }
        Reply::Bytes(bytes) => connection.write_all(&bytes).await.ok()?,
        Reply::Close => {}
        Reply::Reset => connection.set_zero_linger().ok()?,
        Reply::Silence => std::future::pending().await,
        Reply::Drip | Reply::Endless => {
            let pause = if matches!(reply, Reply::Drip) { 200 } else { 0 };
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await.ok()?;
            loop {
                connection.write_all(if pause == 0 { &[b' '; 4096] } else { b" " }).await.ok()?;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        Reply::InTurn(_) | Reply::Gate(..) => unreachable!("resolved before"),
    }
    connection.shutdown().await.ok();
    None
}

/// Reads one request and returns the `js_code` of its URL.
async fn read_code(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1)?;
    let url = url::Url::parse("http://wechat").ok()?.join(target).ok()?;
    let code = url.query_pairs().find(|(name, _)| name == "js_code");
    Some(code.map(|(_, code)| code.into_owned()).unwrap_or_default())
}

fn http(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

//! Faulty responses.

use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind};
use super::reply::Reply;
use super::state::State;
use super::wire::{Asked, errmsg, old_failure};
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// "No response" lasts longer than any sensible client waits, but not forever.
const NO_ANSWER: Duration = Duration::from_secs(120);

/// More than the 64 KiB that a careful client reads.
const HUGE: usize = 100 * 1024;

/// The default pause between the pieces of a slow body.
const SLOW_PAUSE: Duration = Duration::from_millis(200);

const ERROR_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body bgcolor=\"white\">\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

/// Answers a call with a fault. If the call is executed first and fails, its error is returned unchanged: a
/// used code is still used.
pub(super) async fn answer(
    fault: Fault,
    endpoint: Endpoint,
    state: &State,
    asked: Asked,
    carry_out: impl FnOnce() -> Reply,
) -> HttpResponse {
    let latency = if fault.kind == FaultKind::SlowBody { Duration::ZERO } else { fault.latency };
    if fault.needs_true_answer() {
        if !fault.after {
            tokio::time::sleep(latency).await;
        }
        let reply = carry_out();
        if fault.after {
            tokio::time::sleep(latency).await;
        }
        return spoil(fault, reply);
    }
    if fault.after {
        let reply = carry_out();
        if reply.errcode != 0 {
            return reply.into_response();
        }
    }
    tokio::time::sleep(latency).await;
    replace(fault.kind, endpoint, state, asked).await
}

/// The response that replaces the correct one.
async fn replace(kind: FaultKind, endpoint: Endpoint, state: &State, asked: Asked) -> HttpResponse {
    let family = endpoint.family();
    let sent = |body: String| HttpResponse::Ok().content_type(family.content_type()).body(body);
    match kind {
        FaultKind::Errcode(errcode) => {
            state.counters.outcome(endpoint, errcode);
            Reply::failure(family, errcode, asked, state).into_response()
        }
        FaultKind::ErrcodeString(errcode) => {
            let errmsg = errmsg(family, errcode, asked, &state.noise);
            sent(json!({"errcode": errcode.to_string(), "errmsg": errmsg}).to_string())
        }
        FaultKind::OldErrmsg(errcode) => sent(old_failure(errcode, &state.noise)),
        FaultKind::Http(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let page = format!("<html><body><h1>{status}</h1></body></html>\r\n");
            HttpResponse::build(status).content_type("text/html").body(page)
        }
        FaultKind::Html => HttpResponse::Ok().content_type("text/html").body(ERROR_PAGE),
        FaultKind::NotUtf8 => {
            HttpResponse::Ok().content_type(family.content_type()).body(&b"{\"openid\":\"\xff\xfe\"}"[..])
        }
        FaultKind::EmptyObject => sent("{}".to_owned()),
        FaultKind::NotAnObject => sent(r#"["errcode",0]"#.to_owned()),
        FaultKind::DeepNesting => sent("[".repeat(30_000)),
        FaultKind::Redirect => HttpResponse::Found()
            .insert_header((header::LOCATION, "http://redirected.invalid/sns/jscode2session"))
            .finish(),
        FaultKind::Endless => HttpResponse::Ok().content_type(family.content_type()).streaming(blanks()),
        FaultKind::Reset => hang_up(),
        FaultKind::Timeout => {
            tokio::time::sleep(NO_ANSWER).await;
            hang_up()
        }
        // The other kinds modify the correct response.
        _ => sent(String::new()),
    }
}

/// Modifies the correct response.
fn spoil(fault: Fault, reply: Reply) -> HttpResponse {
    let Reply { content_type, body, .. } = reply;
    let sent = |body: String| HttpResponse::Ok().content_type(content_type).body(body);
    let half = body.len() / 2;
    match fault.kind {
        FaultKind::SlowBody => {
            let pause = if fault.latency.is_zero() { SLOW_PAUSE } else { fault.latency };
            let length = body.len() as u64;
            HttpResponse::Ok().content_type(content_type).body(SizedStream::new(length, slowly(body, pause)))
        }
        FaultKind::Truncated => sent(body.chars().take(half).collect()),
        FaultKind::CutBody => {
            let length = body.len() as u64;
            let beginning = Bytes::from(body.into_bytes()).slice(..half);
            let stream = SizedStream::new(length, broken_after(beginning));
            HttpResponse::Ok().content_type(content_type).body(stream)
        }
        FaultKind::Latency => sent(body),
        kind => sent(altered(kind, &body)),
    }
}

/// Changes the fields of the correct response.
fn altered(kind: FaultKind, body: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(body) else { return body.to_owned() };
    match kind {
        FaultKind::NoOpenid => _ = fields.remove("openid"),
        FaultKind::NoSessionKey => _ = fields.remove("session_key"),
        FaultKind::NoAccessToken => _ = fields.remove("access_token"),
        FaultKind::BadSessionKey => _ = fields.insert("session_key".to_owned(), Value::from("c2hvcnQ=")),
        FaultKind::Huge => _ = fields.insert("padding".to_owned(), Value::from("x".repeat(HUGE))),
        FaultKind::ErrcodeZero => {
            fields.insert("errcode".to_owned(), Value::from(0));
            fields.insert("errmsg".to_owned(), Value::from("ok"));
        }
        FaultKind::ExtraFields => {
            fields.insert("new_field".to_owned(), json!({"nested": [1, "2", null]}));
            fields.insert("scope".to_owned(), Value::from("snsapi_base"));
        }
        FaultKind::WrongTypes => {
            for value in fields.values_mut() {
                *value = if value.is_string() { 12345.into() } else { value.to_string().into() };
            }
        }
        _ => {}
    }
    Value::Object(fields).to_string()
}

/// Closes the connection without sending a byte, by a body that fails before the head is flushed.
fn hang_up() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::once(async { Err::<Bytes, _>(broken()) }))
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Sends some bytes, waits until they have left, and closes the connection.
fn broken_after(beginning: Bytes) -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(async { Ok(beginning) }).chain(stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(broken())
    }))
}

fn slowly(body: String, pause: Duration) -> impl Stream<Item = io::Result<Bytes>> {
    const PIECE: usize = 8;
    let body = Bytes::from(body.into_bytes());
    stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(PIECE.min(rest.len()));
        Some((Ok(piece), rest))
    })
}

/// JSON may start with any number of spaces.
fn blanks() -> impl Stream<Item = io::Result<Bytes>> {
    stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 4096]))).then(|piece| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        piece
    })
}

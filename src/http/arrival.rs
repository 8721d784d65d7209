//! Time limits for a request to arrive completely, head and body, and for the client to take the response.

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use std::any::Any;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A request must arrive completely within this time.
pub(super) const TO_ARRIVE: Duration = Duration::from_secs(10);

/// A connection of weauth's own server; its first request has been arriving since the connection was opened.
struct Connection {
    opened: Instant,
    used: Cell<bool>,
}

/// A client that takes nothing of its response for this long is gone or hostile. Without this limit the framework
/// would hold the connection and the unsent data for as long as the client likes.
#[cfg(target_os = "linux")]
const TO_BE_TAKEN: Duration = Duration::from_secs(75);

/// Records when a connection was opened and, on Linux, has the kernel drop it when the client stops reading.
pub(super) fn note_connection(stream: &dyn Any, data: &mut Extensions) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() {
        let limit = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TO_BE_TAKEN));
        if let Err(error) = limit {
            log::debug!("a connection goes without a limit for its answers: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _unlimited = stream;
    data.insert(Connection { opened: Instant::now(), used: Cell::new(false) });
}

/// The deadline for a request whose head arrived at `now` to arrive completely. Call this once per request. The
/// framework does not tell when the head of a later request began to arrive, so that request's time counts from
/// the end of its head.
pub(super) fn arrives_by(request: &HttpRequest, now: Instant) -> Instant {
    let connection = request.conn_data::<Connection>();
    let first = connection.filter(|connection| !connection.used.replace(true));
    first.map_or(now, |connection| connection.opened) + TO_ARRIVE
}

/// The deadline from [`arrives_by`], for whoever reads the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrivesBy(pub(super) Instant);

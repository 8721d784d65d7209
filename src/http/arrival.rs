//! The time that a request is given to arrive whole, head and body, and its answer to be taken.

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use std::any::Any;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A request has arrived whole within this time, or is not waited for.
pub(super) const TO_ARRIVE: Duration = Duration::from_secs(10);

/// A connection of weauth's own server: its first request has been arriving since it was opened.
struct Connection {
    opened: Instant,
    used: Cell<bool>,
}

/// A client that takes nothing of its answer for so long is gone, or means harm: the framework would hold the connection,
/// and what was to be written, for as long as it likes.
#[cfg(target_os = "linux")]
const TO_BE_TAKEN: Duration = Duration::from_secs(30);

/// Notes when a connection was opened, and has the system (Linux) cut it off where nothing is taken from it.
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

/// When a request must have arrived whole, whose head has arrived at `now`. To be called for each request once. When the
/// head of a later request began to arrive the framework does not tell: it counts from its end.
pub(super) fn arrives_by(request: &HttpRequest, now: Instant) -> Instant {
    let connection = request.conn_data::<Connection>();
    let first = connection.filter(|connection| !connection.used.replace(true));
    first.map_or(now, |connection| connection.opened) + TO_ARRIVE
}

/// What [`arrives_by`] gave, for whoever reads the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrivesBy(pub(super) Instant);

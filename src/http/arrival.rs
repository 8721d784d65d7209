//! The time that a request is given to arrive whole, head and body.

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

/// Notes when a connection was opened.
pub(super) fn note_connection(_: &dyn Any, data: &mut Extensions) {
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

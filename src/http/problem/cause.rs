//! Why a problem happened, for the log alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TARGET: &str = "weauth::http";

/// What went wrong on our side. Clones are one cause, which is logged once: with the request's id where the answer is
/// finished, or else without one when nobody holds it any more. So it is not lost where a handler outside of our
/// routes returned it, or the client is gone.
#[derive(Debug, Clone)]
pub(super) struct Cause(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    is_logged: AtomicBool,
}

impl Cause {
    pub(super) fn new(text: String) -> Self {
        Self(Arc::new(Inner { text, is_logged: AtomicBool::new(false) }))
    }

    /// Logs it, unless that is done.
    pub(super) fn log(&self, request_id: &str) {
        if !self.0.is_logged.swap(true, Ordering::Relaxed) {
            log::error!(target: TARGET, request_id; "{} (request {request_id})", self.0.text);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.is_logged.get_mut() {
            log::error!(target: TARGET, "{}", self.text);
        }
    }
}

//! Keeps a chunked body that was not read to its end until the response is written.
//!
//! If such a body is dropped earlier, actix-http keeps reading and discarding it for as long as the client
//! pleases, without a timeout: one packet would hold a connection for ever. If it is still there, actix-http
//! closes the connection, as it does for a body of known length.

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use bytes::Bytes;
use futures_util::Stream;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A body shared by the handler and the response.
#[derive(Clone)]
pub(super) struct KeptPayload(Rc<RefCell<Payload>>);

impl KeptPayload {
    /// Makes the handler read the body through this; `None` if there is no body or its length is known.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let kept = Self(Rc::new(RefCell::new(request.take_payload())));
        request.set_payload(Payload::Stream { payload: Box::pin(kept.clone()) });
        Some(kept)
    }

    /// The response's body, which keeps this alive.
    pub(super) fn beside(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Answer { body, _kept: self })
    }
}

impl Stream for KeptPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Answer {
    body: BoxBody,
    _kept: KeptPayload,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

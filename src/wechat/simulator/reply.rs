//! A response of WeChat before it is sent.

use super::state::State;
use super::wire::{Asked, Errcode, Family, failure};
use actix_web::HttpResponse;

/// WeChat's response; its status is always 200.
pub(super) struct Reply {
    pub(super) content_type: &'static str,
    /// 0 is success.
    pub(super) errcode: Errcode,
    pub(super) body: String,
}

impl Reply {
    /// The error response to a call.
    pub(super) fn failure(family: Family, errcode: Errcode, asked: Asked, state: &State) -> Self {
        Self {
            content_type: family.content_type(),
            errcode,
            body: failure(family, errcode, asked, &state.noise),
        }
    }

    /// Converts to an HTTP response.
    pub(super) fn into_response(self) -> HttpResponse {
        HttpResponse::Ok().content_type(self.content_type).body(self.body)
    }
}

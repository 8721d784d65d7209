//! An answer of WeChat's, before it goes out.

use super::state::State;
use super::wire::{Asked, Errcode, Family, failure};
use actix_web::HttpResponse;

/// What WeChat answers: always with status 200.
pub(super) struct Reply {
    pub(super) content_type: &'static str,
    /// 0 is success.
    pub(super) errcode: Errcode,
    pub(super) body: String,
}

impl Reply {
    /// The refusal of a call.
    pub(super) fn failure(family: Family, errcode: Errcode, asked: Asked, state: &State) -> Self {
        Self {
            content_type: family.content_type(),
            errcode,
            body: failure(family, errcode, asked, &state.noise),
        }
    }

    /// The reply as it goes out.
    pub(super) fn into_response(self) -> HttpResponse {
        HttpResponse::Ok().content_type(self.content_type).body(self.body)
    }
}

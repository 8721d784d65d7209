//! Handles a call to WeChat's URLs: parses it, applies a fault, executes it, and responds.

use super::endpoint::Endpoint;
use super::endpoints::{self, Call};
use super::fault::Fault;
use super::faulty;
use super::reply::Reply;
use super::spelled::{Occasion, Spelled};
use super::state::State;
use super::wire::{Asked, Family};
use crate::shared::read;
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

/// WeChat's URLs; all others get 40066.
pub(super) fn routes(cfg: &mut web::ServiceConfig, state: &Arc<State>) {
    cfg.app_data(Data::from(state.clone()));
    for endpoint in Endpoint::ALL {
        let answer = move |state: Data<State>, request: HttpRequest, body: Bytes| async move {
            answer(endpoint, &state, &request, &body).await
        };
        cfg.route(endpoint.path(), web::route().to(answer));
    }
    cfg.default_service(web::to(|state: Data<State>, request: HttpRequest| async move {
        Reply::failure(Family::Cgi, 40066, asked(&state, &request), &state).into_response()
    }));
}

fn asked(state: &State, request: &HttpRequest) -> Asked {
    Asked { now: state.now(), peer: request.peer_addr().map(|address| address.ip()) }
}

async fn answer(endpoint: Endpoint, state: &State, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let asked = asked(state, request);
    let call = Call::read(endpoint, request.method(), request.query_string(), body, asked);
    state.counters.call(endpoint);
    match fault_of(endpoint, state, &call) {
        None => carry_out(endpoint, state, &call).into_response(),
        Some(fault) => {
            state.counters.fault(endpoint);
            faulty::answer(fault, endpoint, state, asked, || carry_out(endpoint, state, &call)).await
        }
    }
}

fn carry_out(endpoint: Endpoint, state: &State, call: &Call<'_>) -> Reply {
    let family = endpoint.family();
    let reply = match endpoints::run(endpoint, state, call) {
        Ok(body) => Reply { content_type: family.content_type(), errcode: 0, body },
        Err(errcode) => Reply::failure(family, errcode, call.asked, state),
    };
    state.counters.outcome(endpoint, reply.errcode);
    reply
}

/// The fault spelled out in the code, or else a scheduled one.
fn fault_of(endpoint: Endpoint, state: &State, call: &Call<'_>) -> Option<Fault> {
    let spelled = call.code(endpoint).and_then(|code| {
        let calls = read(&state.codes).note_call(code, call.asked.now);
        state.counters.code(endpoint, calls);
        match Spelled::read(code) {
            Spelled::Fault(fault, Occasion::Always) => Some(fault),
            Spelled::Fault(fault, Occasion::Once(_)) if calls == 1 => Some(fault),
            Spelled::Fault(fault, Occasion::Burn(_)) if calls == 1 => Some(Fault { after: true, ..fault }),
            _ => None,
        }
    });
    spelled.or_else(|| state.faults.strike(endpoint.name(), state.noise.next(), || call.appid(state)))
}

//! `/simulator/faults`: the faults of future calls.

use super::{Answer, ControlError, app_of, parse};
use crate::wechat::simulator::endpoint::Endpoint;
use crate::wechat::simulator::faults::FaultOrder;
use crate::wechat::simulator::state::State;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Path};
use serde_json::json;

pub(super) async fn add(state: Data<State>, body: Bytes) -> Answer {
    let order: FaultOrder = parse(&body)?;
    if let Some(endpoint) = &order.endpoint
        && !Endpoint::ALL.iter().any(|known| known.name() == endpoint)
    {
        return Err(ControlError::Invalid(format!("there is no endpoint `{endpoint}`")));
    }
    if order.times == Some(0) || order.percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
        return Err(ControlError::Invalid("`times` is 1 or more, `percent` 1 to 100".to_owned()));
    }
    if order.appid.is_some() {
        app_of(&state, order.appid.as_deref())?;
    }
    let rule = state.faults.add(order).map_err(ControlError::Invalid)?;
    Ok(HttpResponse::Ok().json(rule))
}

pub(super) async fn list(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"items": state.faults.list()}))
}

pub(super) async fn clear(state: Data<State>) -> HttpResponse {
    state.faults.clear();
    HttpResponse::NoContent().finish()
}

pub(super) async fn remove(state: Data<State>, id: Path<String>) -> Answer {
    let removed = id.parse().is_ok_and(|id| state.faults.remove(id));
    if removed {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ControlError::NotFound("there is no such fault"))
    }
}

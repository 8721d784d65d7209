//! `POST /simulator/pushes`: sends a push to the developer's server and reports the response.

use super::{Answer, ControlError, app_of, parse, require_user_name};
use crate::domain::AppId;
use crate::wechat::simulator::delivery::deliver;
use crate::wechat::simulator::identities::openid;
use crate::wechat::simulator::pushes::{PushOrder, Subject};
use crate::wechat::simulator::state::State;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::json;
use std::time::Duration;

/// WeChat's timeout of five seconds. Milliseconds.
const PATIENCE: u64 = 5000;

pub(super) async fn send(state: Data<State>, body: Bytes) -> Answer {
    let order: PushOrder = parse(&body)?;
    let app = app_of(&state, order.appid.as_deref())?;
    if let Some(user) = &order.user {
        require_user_name(user)?;
    }
    let subject = Subject {
        app: AppId::from_stored(&app.appid),
        openid: order.user.as_deref().map(|user| openid(&app.appid, user)),
    };
    let request = order.request(&subject, state.now());
    let request = request.map_err(|error| ControlError::Invalid(error.to_string()))?;
    let patience = Duration::from_millis(order.timeout_ms.unwrap_or(PATIENCE).min(PATIENCE));
    let attempts = deliver(&request, patience, order.duplicate).await;
    let delivered = attempts.iter().any(|attempt| attempt.status == Some(200));
    Ok(HttpResponse::Ok().json(json!({
        "delivered": delivered,
        "attempts": attempts,
        "request": {
            "url": request.url.as_str(),
            "content_type": request.body.as_ref().map(|body| &body.content_type),
            "body": request.body.as_ref().map(|body| &body.text),
        },
    })))
}

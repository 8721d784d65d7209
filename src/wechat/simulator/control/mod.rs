//! The control API for developers: `/simulator/…`, with JSON in and out. Errors are `{"error":"…"}`.

mod apps;
mod codes;
mod faults;
mod open_data;
mod origin;
mod pushes;

use super::apps::App;
use super::identities::is_user_name;
use super::state::State;
use crate::shared::read;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, ResponseError, guard};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// Why a request is rejected.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// Its target does not exist.
    #[error("{0}")]
    NotFound(&'static str),
    /// It comes from a foreign page.
    #[error("only pages of this machine, or of this server's own address, may send commands here")]
    Foreign,
}

impl ResponseError for ControlError {
    fn status_code(&self) -> StatusCode {
        match self {
            ControlError::Invalid(_) => StatusCode::BAD_REQUEST,
            ControlError::NotFound(_) => StatusCode::NOT_FOUND,
            ControlError::Foreign => StatusCode::FORBIDDEN,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({"error": self.to_string()}))
    }
}

/// The result of a request.
type Answer = Result<HttpResponse, ControlError>;

/// The control routes, with their state.
pub(super) fn routes(cfg: &mut ServiceConfig, state: &Arc<State>) {
    let not_found = || async { ControlError::NotFound("there is no such control route").error_response() };
    let foreign = || async { ControlError::Foreign.error_response() };
    let is_foreign = guard::fn_guard(|ctx| origin::is_foreign(ctx.head().headers()));
    let scope = web::scope("/simulator")
        .app_data(Data::from(state.clone()))
        .service(web::resource("{order:.*}").guard(is_foreign).to(foreign))
        .route("", web::get().to(summary))
        .route("/counters", web::get().to(counters))
        .route("/clock", web::post().to(advance_clock))
        .route("/reset", web::post().to(reset))
        .route("/codes", web::post().to(codes::issue))
        .route("/faults", web::post().to(faults::add))
        .route("/faults", web::get().to(faults::list))
        .route("/faults", web::delete().to(faults::clear))
        .route("/faults/{id}", web::delete().to(faults::remove))
        .route("/open-data", web::post().to(open_data::encrypt))
        .route("/session-keys", web::post().to(apps::session_keys))
        .route("/access-tokens", web::post().to(apps::access_tokens))
        .route("/users/{user}", web::post().to(apps::change_user))
        .route("/apps/{appid}", web::post().to(apps::change_app))
        .route("/pushes", web::post().to(pushes::send))
        .default_service(web::to(not_found));
    cfg.service(scope);
}

/// `GET /simulator`: a summary of the state.
async fn summary(state: Data<State>) -> HttpResponse {
    let app = |app: Arc<App>| json!({"appid": app.appid, "users": app.session_keys.len(), "switches": app.switches()});
    let apps: Vec<Value> = state.apps.all().into_iter().map(app).collect();
    let (issued, tried) = {
        let codes = read(&state.codes);
        (codes.issued_count(), codes.tried_count())
    };
    HttpResponse::Ok().json(json!({
        "apps": apps,
        "codes": {"issued": issued, "tried": tried},
        "faults": state.faults.list(),
        "clock_offset_seconds": state.clock_offset(),
        "counters": state.counters.to_json(),
    }))
}

async fn counters(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.counters.to_json())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceClock {
    advance_seconds: i64,
}

/// `POST /simulator/clock`: advances WeChat's clock, so that codes, keys and tokens age at once.
async fn advance_clock(state: Data<State>, body: Bytes) -> Answer {
    let AdvanceClock { advance_seconds } = parse(&body)?;
    // Ten years suffice for any test, and keep all sums in range.
    let offset = state.clock_offset().saturating_add(advance_seconds);
    if offset.unsigned_abs() > 10 * 366 * 86400 {
        return Err(ControlError::Invalid(
            "`advance_seconds` would be more than ten years in all".to_owned(),
        ));
    }
    state.advance_clock(advance_seconds);
    Ok(HttpResponse::Ok().json(json!({"clock_offset_seconds": state.clock_offset()})))
}

async fn reset(state: Data<State>) -> HttpResponse {
    state.reset();
    HttpResponse::NoContent().finish()
}

/// Parses a JSON body of any content type; an empty body is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // serde would take an array for the fields in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ControlError::Invalid("the body must be a JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| ControlError::Invalid(error.to_string()))
}

/// The named app, or else the only one.
fn app_of(state: &State, appid: Option<&str>) -> Result<Arc<App>, ControlError> {
    match appid {
        Some(appid) => state.apps.get(appid).ok_or(ControlError::NotFound("there is no such app")),
        None => state.apps.only().ok_or_else(|| {
            ControlError::Invalid("`appid` is needed: there is not exactly one app".to_owned())
        }),
    }
}

fn require_user_name(user: &str) -> Result<(), ControlError> {
    if is_user_name(user) {
        return Ok(());
    }
    Err(ControlError::Invalid("`user` is 1 to 64 letters, digits, `-` and `_`".to_owned()))
}

//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work.

use super::problem::Problem;
use super::state::HttpState;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({"status": "ok"}))
}

/// 200 when the database answers and holds every migration; else 503 with the reason's code.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    state.db.check_schema().await?;
    let body = json!({"status": "ok", "database": "ok", "migrations": "ok"});
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

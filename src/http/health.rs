//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work.

use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use crate::store::StoreError;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({"status": "ok"}))
}

/// 200 when the database answers and holds every migration; else 503 with the reason's code.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    state.db.check().await.map_err(not_ready)?;
    let body = json!({"status": "ok", "database": "ok", "migrations": "ok"});
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

fn not_ready(error: StoreError) -> Problem {
    let StoreError::Refused(reason) = error else { return error.into() };
    log::error!("not ready: {reason}");
    let detail = (
        "The database answers, but is not as this weauth needs it: run `weauth migrate`.",
        "数据库可以访问，但不符合当前 weauth 的要求：请运行 `weauth migrate`。",
    );
    Problem::with_detail(ErrorCode::DatabaseUnavailable, detail)
}

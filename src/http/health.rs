//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work.

use super::answer::private_json;
use super::problem::{ErrorCode, Problem};
use super::state::HttpState;
use crate::store::StoreError;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

pub(super) async fn healthz() -> Result<HttpResponse, Problem> {
    private_json(&json!({"status": "ok"}))
}

/// 200 when the database answers and has every migration, is no standby of Postgres, and no background loop crashed a
/// moment ago; else 503 with the reason's code. Only a write would tell that a disk is full, and each costs a sync of
/// the disk: that is no price for a probe.
pub(super) async fn readyz(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = HttpState::of(&request)?;
    if !state.background.is_well() {
        let detail = (
            "A part of this server crashed a moment ago, as its log says.",
            "本服务器的一个组件刚刚崩溃（见日志）。",
        );
        return Err(Problem::with_detail(ErrorCode::Overloaded, detail));
    }
    state.db.check().await.map_err(not_ready)?;
    private_json(&json!({"status": "ok", "database": "ok", "migrations": "ok"}))
}

fn not_ready(error: StoreError) -> Problem {
    if !matches!(error, StoreError::Pending(_)) {
        return error.into();
    }
    let detail = (
        "The database lacks a migration: run `weauth migrate`.",
        "数据库缺少迁移：请运行 `weauth migrate`。",
    );
    Problem::with_detail(ErrorCode::DatabaseUnavailable, detail).caused_by(format!("not ready: {error}"))
}

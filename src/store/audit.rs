//! The audit log: who did what to whom, from where. Rows are only ever added.

use super::schema::audit;
use super::{DbConn, StoreError};
use crate::domain::{Actor, Time};
use diesel::prelude::*;

/// One act. Whatever is in it may be shown to operators: nothing secret goes in.
pub(super) struct Audited<'a> {
    /// When.
    pub(super) at: Time,
    /// Who, and from where.
    pub(super) by: &'a Actor,
    /// What: noun, dot, verb.
    pub(super) action: &'a str,
    /// To whom: an id.
    pub(super) target: &'a str,
    /// What there is to say of it.
    pub(super) detail: Option<&'a str>,
}

/// Adds a row.
pub(super) fn audit(conn: &mut DbConn, act: &Audited<'_>) -> Result<(), StoreError> {
    let row = (
        audit::id.eq(uuid::Uuid::now_v7().simple().to_string()),
        audit::at.eq(act.at.to_stored()),
        audit::actor.eq(act.by.name()),
        audit::action.eq(act.action),
        audit::target.eq(act.target),
        audit::ip.eq(act.by.ip().map(|ip| ip.to_string())),
        audit::detail.eq(act.detail),
    );
    diesel::insert_into(audit::table).values(row).execute(conn)?;
    Ok(())
}

//! The audit log: who did what to whom, from where. Rows are only ever added.

use super::schema::audit;
use super::{DbConn, StoreError};
use crate::domain::{Actor, Time, id_at};
use diesel::prelude::*;

/// An audited action. Operators may see all of it, so it must not contain secrets.
pub(super) struct Audited<'a> {
    /// When.
    pub(super) at: Time,
    /// Who, and from which address.
    pub(super) by: &'a Actor,
    /// What, as `noun.verb`.
    pub(super) action: &'a str,
    /// To whom or what: an id.
    pub(super) target: &'a str,
    /// Further details.
    pub(super) detail: Option<&'a str>,
}

/// Adds a row.
pub(super) fn audit(conn: &mut DbConn, act: &Audited<'_>) -> Result<(), StoreError> {
    let row = (
        audit::id.eq(id_at(act.at)),
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

//! The audit log: who did what to whom, from where. Rows are only ever added; those of a deleted user lose the address.

use super::schema::audit;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{Actor, Time, UserId, first_id_at, id_at, time_of_id};
use diesel::dsl::auto_type;
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

/// A position in the audit log, whose ids rise with time.
#[derive(Debug, Clone)]
pub struct AuditPlace(String);

/// How far before a user's creation their first row may be, in seconds: the clock may have been set right in between.
const CLOCK_SET_BACK: i64 = 86_400;

/// How much later, in seconds, than rows with a higher id one may appear: a transaction may commit late.
const LATE: i64 = 30;

impl AuditPlace {
    /// Before all that was ever written about a user who first signed in at this time.
    pub fn before(created_at: Time) -> Self {
        Self(first_id_at(created_at.plus_seconds(-CLOCK_SET_BACK)))
    }

    /// The place after which there may be rows that a walk up to here did not see.
    fn but_for_late_ones(&self) -> Self {
        let seen = time_of_id(&self.0).unwrap_or(Time::from_unix(0));
        Self(first_id_at(seen.plus_seconds(-LATE)))
    }
}

/// Looks through a number of rows of the audit log, in order, for addresses that belong to a user.
#[derive(Debug)]
pub struct FindAddresses {
    /// The user.
    pub of: UserId,
    /// The position to continue from.
    pub after: AuditPlace,
    /// How many rows to look through.
    pub limit: i64,
}

/// What was found in so many rows.
#[derive(Debug)]
pub struct FoundAddresses {
    /// The rows that have an address.
    pub rows: ForgetAddresses,
    /// The last row looked through.
    pub next: AuditPlace,
}

impl Query for FindAddresses {
    /// `None` if there are not so many rows left: those are for [`DeleteUser`](super::DeleteUser).
    type Output = Option<FoundAddresses>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let rows = audit::table.filter(audit::id.gt(&self.after.0)).select(audit::id);
        let last = rows.order(audit::id).offset(self.limit - 1).first::<String>(conn).optional()?;
        let Some(last) = last else { return Ok(None) };
        let found = rows.filter(audit::id.le(&last)).filter(has_address_of(self.of.as_str()));
        let rows = ForgetAddresses(found.load(conn)?);
        Ok(Some(FoundAddresses { rows, next: AuditPlace(last) }))
    }
}

/// Blanks the addresses in these rows of the audit log; the rows stay.
#[derive(Debug)]
pub struct ForgetAddresses(Vec<String>);

impl ForgetAddresses {
    /// Is there nothing to do?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl WriteOne for ForgetAddresses {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let rows = audit::table.filter(audit::id.eq_any(&self.0));
        diesel::update(rows).set(audit::ip.eq(None::<String>)).execute(conn)?;
        Ok(())
    }
}

/// Blanks the addresses of a user in the rows that a walk up to this place did not see. Call it when no other
/// transaction can add a row about the user any more.
pub(super) fn forget_last_addresses(
    conn: &mut DbConn,
    of: &UserId,
    walked_to: &AuditPlace,
) -> Result<(), StoreError> {
    let rows = audit::table.filter(audit::id.gt(walked_to.but_for_late_ones().0));
    let theirs = rows.filter(has_address_of(of.as_str()));
    diesel::update(theirs).set(audit::ip.eq(None::<String>)).execute(conn)?;
    Ok(())
}

/// Selects the rows with an address that were written about a user, whoever acted, or by them.
#[auto_type(no_type_alias)]
fn has_address_of<'a>(user: &'a str) -> _ {
    let is_theirs = audit::actor.nullable().eq(user).or(audit::target.eq(user));
    audit::ip.is_not_null().and(is_theirs)
}

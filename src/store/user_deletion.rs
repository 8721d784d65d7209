//! Deletes users: personal data goes, and the audit log records the deletion.

use super::audit::{AuditPlace, Audited, audit, forget_last_addresses};
use super::exchanges::exchanges;
use super::recent_logins::forget_user;
use super::schema::users;
use super::sessions::end_all;
use super::user_changes::announce_change;
use super::users::lock_user;
use super::{DbConn, StoreError, UserChange, WriteOne};
use crate::domain::{Actor, Time, UserId};
use diesel::prelude::*;

/// Deletes a user with their identities, session keys, sessions, roles, exchange records and the addresses in the audit
/// log. If the person signs in again, they become a new user.
#[derive(Debug)]
pub struct DeleteUser {
    /// The user.
    pub user: UserId,
    /// Who deletes them.
    pub by: Actor,
    /// Now.
    pub at: Time,
    /// Up to where their addresses in the audit log are gone already, by a walk with
    /// [`FindAddresses`](super::FindAddresses). That log may be long, and this transaction must not be.
    pub walked_to: AuditPlace,
}

impl WriteOne for DeleteUser {
    type Output = UserChange;

    fn apply_one(&self, conn: &mut DbConn) -> Result<UserChange, StoreError> {
        let id = self.user.as_str();
        if lock_user(conn, &self.user)?.is_none() {
            return Ok(UserChange::NoSuchUser);
        }
        let ended = end_all(conn, &self.user, self.at)?;
        // A full scan, but over a few minutes of records, or as many as the replay window has; an index would slow down
        // every login.
        if let DbConn::Postgres(conn) = conn {
            diesel::delete(exchanges::table.filter(exchanges::user_id.eq(id))).execute(conn)?;
        }
        forget_user(conn, id)?;
        // Identities and roles are deleted with the row (ON DELETE CASCADE).
        diesel::delete(users::table.find(id)).execute(conn)?;
        announce_change(conn, &self.user, self.at)?;
        let act = Audited { at: self.at, by: &self.by, action: "user.delete", target: id, detail: None };
        audit(conn, &act)?;
        forget_last_addresses(conn, &self.user, &self.walked_to)?;
        Ok(UserChange::Done { ended })
    }
}

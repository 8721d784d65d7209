//! The end of a user: what is personal goes, the audit log keeps that it went.

use super::audit::{Audited, audit};
use super::fresh_logins::forget_user;
use super::schema::{exchanges, users};
use super::sessions::end_all;
use super::user_changes::leave_word;
use super::users::lock_user;
use super::{DbConn, StoreError, UserChange, WriteOne};
use crate::domain::{Actor, Time, UserId};
use diesel::prelude::*;

/// Deletes a user with their identities, session keys, sessions, roles and exchange records. Should the person
/// sign in again, they are somebody new.
#[derive(Debug)]
pub struct DeleteUser {
    /// Whom.
    pub user: UserId,
    /// By whom.
    pub by: Actor,
    /// Now.
    pub at: Time,
}

impl WriteOne for DeleteUser {
    type Output = UserChange;

    fn apply_one(&self, conn: &mut DbConn) -> Result<UserChange, StoreError> {
        let id = self.user.as_str();
        if lock_user(conn, &self.user)?.is_none() {
            return Ok(UserChange::NoSuchUser);
        }
        let ended = end_all(conn, &self.user, self.at)?;
        // Some minutes of records, found by reading them all: an index would cost every login.
        diesel::delete(exchanges::table.filter(exchanges::user_id.eq(id))).execute(conn)?;
        forget_user(conn, id)?;
        // Identities and roles go with the row (ON DELETE CASCADE).
        diesel::delete(users::table.find(id)).execute(conn)?;
        leave_word(conn, &self.user, self.at)?;
        let act = Audited { at: self.at, by: &self.by, action: "user.delete", target: id, detail: None };
        audit(conn, &act)?;
        Ok(UserChange::Done { ended })
    }
}

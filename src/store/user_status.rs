//! Banning and unbanning users.

use super::audit::{Audited, audit};
use super::schema::users;
use super::sessions::end_all;
use super::user_changes::announce_change;
use super::users::lock_user;
use super::{DbConn, StoreError, UserChange, WriteOne};
use crate::domain::{Actor, Time, UserId, UserStatus};
use diesel::prelude::*;

/// Bans or unbans a user. Both end all of the user's sessions: a ban must leave none, and sessions from
/// before the ban must not come back.
#[derive(Debug)]
pub struct SetUserStatus {
    /// The user.
    pub user: UserId,
    /// The new status.
    pub status: UserStatus,
    /// Who changes it.
    pub by: Actor,
    /// Now.
    pub at: Time,
}

impl WriteOne for SetUserStatus {
    type Output = UserChange;

    fn apply_one(&self, conn: &mut DbConn) -> Result<UserChange, StoreError> {
        let Some(before) = lock_user(conn, &self.user)? else { return Ok(UserChange::NoSuchUser) };
        if before == self.status {
            return Ok(UserChange::AsBefore);
        }
        let user = users::table.find(self.user.as_str());
        diesel::update(user).set(users::status.eq(self.status.as_str())).execute(conn)?;
        let ended = end_all(conn, &self.user, self.at)?;
        announce_change(conn, &self.user, self.at)?;
        let action = match self.status {
            UserStatus::Active => "user.unban",
            UserStatus::Banned => "user.ban",
        };
        let act = Audited { at: self.at, by: &self.by, action, target: self.user.as_str(), detail: None };
        audit(conn, &act)?;
        Ok(UserChange::Done { ended })
    }
}

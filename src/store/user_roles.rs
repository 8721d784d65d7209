//! The roles that operators grant.

use super::audit::{Audited, audit};
use super::schema::user_roles;
use super::user_changes::announce_change;
use super::users::{lock_user, roles_of};
use super::{DbConn, StoreError, UserChange, WriteOne};
use crate::domain::{Actor, Role, Time, UserId};
use diesel::prelude::*;

/// Grants and revokes roles of a user. Ends no session.
#[derive(Debug)]
pub struct ChangeRoles {
    /// The user.
    pub user: UserId,
    /// Roles to grant, unless already granted.
    pub grant: Vec<Role>,
    /// Roles to revoke, if granted.
    pub revoke: Vec<Role>,
    /// Who changes them.
    pub by: Actor,
    /// Now.
    pub at: Time,
}

impl WriteOne for ChangeRoles {
    type Output = UserChange;

    fn apply_one(&self, conn: &mut DbConn) -> Result<UserChange, StoreError> {
        if lock_user(conn, &self.user)?.is_none() {
            return Ok(UserChange::NoSuchUser);
        }
        let held = roles_of(conn, self.user.as_str())?;
        let mut lacking: Vec<&Role> = self.grant.iter().filter(|role| !held.contains(role)).collect();
        lacking.sort();
        lacking.dedup();
        let surplus: Vec<&Role> = held.iter().filter(|role| self.revoke.contains(role)).collect();
        if lacking.is_empty() && surplus.is_empty() {
            return Ok(UserChange::AsBefore);
        }
        for role in &lacking {
            self.grant_one(role, conn)?;
        }
        for role in &surplus {
            let row = user_roles::table.find((self.user.as_str(), role.as_str()));
            diesel::delete(row).execute(conn)?;
        }
        announce_change(conn, &self.user, self.at)?;
        let granted = lacking.iter().map(|role| format!("+{}", role.as_str()));
        let revoked = surplus.iter().map(|role| format!("-{}", role.as_str()));
        let detail: Vec<String> = granted.chain(revoked).collect();
        audit(conn, &self.act(&detail.join(" ")))?;
        Ok(UserChange::Done { ended: Vec::new() })
    }
}

impl ChangeRoles {
    fn grant_one(&self, role: &Role, conn: &mut DbConn) -> Result<(), StoreError> {
        let row = (
            user_roles::user_id.eq(self.user.as_str()),
            user_roles::role.eq(role.as_str()),
            user_roles::granted_at.eq(self.at.to_stored()),
        );
        diesel::insert_into(user_roles::table).values(row).execute(conn)?;
        Ok(())
    }

    fn act<'a>(&'a self, detail: &'a str) -> Audited<'a> {
        let (at, by, target) = (self.at, &self.by, self.user.as_str());
        Audited { at, by, action: "user.roles", target, detail: Some(detail) }
    }
}

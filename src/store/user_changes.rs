//! Propagates changes of users (status, roles, deletion), from whoever makes them to all nodes.

use super::prepared::prepared;
use super::revocations::id_of_now;
use super::schema::{user_changes, user_roles, users};
use super::{DbConn, Query, StoreError};
use crate::domain::{Role, SessionId, Time, UserId, UserStatus, first_id_at, id_at};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use std::collections::HashMap;

/// The result of changing a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// There is no such user.
    NoSuchUser,
    /// The user already was in the requested state; nothing was done.
    AsBefore,
    /// The user was changed, which ended these sessions.
    Done {
        /// The ended sessions.
        ended: Vec<SessionId>,
    },
}

/// The state of a user after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedUser {
    /// The user.
    pub user: UserId,
    /// When they were last changed.
    pub at: Time,
    /// Their status and roles at that time or later; `None` if they were deleted.
    pub now: Option<(UserStatus, Vec<Role>)>,
}

/// The users who changed since a time, in their current state.
#[derive(Debug)]
pub struct FindUserChanges {
    /// The earliest time.
    pub since: Time,
}

impl Query for FindUserChanges {
    type Output = Vec<ChangedUser>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        type Row = (String, Time, Option<String>, Option<String>);
        // One statement, so that the data of each user is consistent.
        let rows: Vec<Row> = user_changes::table
            .left_join(users::table.on(users::id.eq(user_changes::user_id)))
            .left_join(user_roles::table.on(user_roles::user_id.eq(user_changes::user_id)))
            .filter(user_changes::id.ge(first_id_at(self.since)))
            .select((
                user_changes::user_id,
                user_changes::at,
                users::status.nullable(),
                user_roles::role.nullable(),
            ))
            .load(conn)?;
        let mut found: HashMap<String, ChangedUser> = HashMap::new();
        for (id, at, status, role) in rows {
            let changed = found.entry(id).or_insert_with_key(|id| ChangedUser {
                user: UserId::from_stored(id.clone()),
                at,
                now: status.map(|status| (UserStatus::from_stored(&status), Vec::new())),
            });
            changed.at = changed.at.max(at);
            if let (Some((_, roles)), Some(role)) = (&mut changed.now, role) {
                roles.push(Role::from_stored(&role));
            }
        }
        Ok(found.into_values().map(with_each_role_once).collect())
    }
}

/// The roles of a user who changed twice are joined twice.
fn with_each_role_once(mut changed: ChangedUser) -> ChangedUser {
    if let Some((_, roles)) = &mut changed.now {
        roles.sort();
        roles.dedup();
    }
    changed
}

prepared! {
    /// Records that a user changes now, by Postgres's clock, which all nodes share.
    AnnounceChange<'a> on Pg { user: Text = &'a str } -> (),
    concat!(
        "INSERT INTO user_changes (id, user_id, at)
         VALUES (", id_of_now!(), ", ?, clock_timestamp() AT TIME ZONE 'UTC')"
    )
}

/// Records a change of a user for all nodes. Call it in the transaction of the change, and late in it.
pub(super) fn announce_change(conn: &mut DbConn, user: &UserId, at: Time) -> Result<(), StoreError> {
    match conn {
        DbConn::Postgres(conn) => AnnounceChange { user: user.as_str() }.execute(conn)?,
        DbConn::Sqlite(conn) => {
            let row = (
                user_changes::id.eq(id_at(at)),
                user_changes::user_id.eq(user.as_str()),
                user_changes::at.eq(at.to_stored()),
            );
            diesel::insert_into(user_changes::table).values(row).execute(conn)?
        }
    };
    Ok(())
}

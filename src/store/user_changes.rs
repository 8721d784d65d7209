//! Word of users whose status or roles changed, or who were deleted, from whoever did it to every node.

use super::prepared::prepared;
use super::revocations::{first_id_at, id_at, id_of_now};
use super::schema::{user_changes, user_roles, users};
use super::{DbConn, Query, StoreError};
use crate::domain::{Role, SessionId, Time, UserId, UserStatus};
use chrono::NaiveDateTime;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Text;
use std::collections::HashMap;

/// What a change of a user came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// There is no such user.
    NoSuchUser,
    /// They were so already; nothing was done.
    AsBefore,
    /// They are so now, and these sessions of theirs ended with it.
    Done {
        /// The sessions.
        ended: Vec<SessionId>,
    },
}

/// How a user stands after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedUser {
    /// Who.
    pub user: UserId,
    /// When they were last changed.
    pub at: Time,
    /// Their status and roles now, at that time or after it; `None` where they were deleted.
    pub now: Option<(UserStatus, Vec<Role>)>,
}

/// The users who were changed since a moment, as they stand now.
#[derive(Debug)]
pub struct FindUserChanges {
    /// Later changes are found.
    pub since: Time,
}

impl Query for FindUserChanges {
    type Output = Vec<ChangedUser>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        type Row = (String, NaiveDateTime, Option<String>, Option<String>);
        // In one statement, so that what is found of a user is of one moment.
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
            let at = Time::from_stored(at);
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

/// A user who was changed twice comes with their roles twice.
fn with_each_role_once(mut changed: ChangedUser) -> ChangedUser {
    if let Some((_, roles)) = &mut changed.now {
        roles.sort();
        roles.dedup();
    }
    changed
}

prepared! {
    /// Word of a user who is changed now, by Postgres's clock, which all nodes share.
    TellOfChange on Pg { user: Text = &'a str } -> (),
    concat!(
        "INSERT INTO user_changes (id, user_id, at)
         VALUES (", id_of_now!(), ", ?, clock_timestamp() AT TIME ZONE 'UTC')"
    )
}

/// Leaves word, to be written in the transaction of the change itself, and late in it.
pub(super) fn leave_word(conn: &mut DbConn, user: &UserId, at: Time) -> Result<(), StoreError> {
    match conn {
        DbConn::Postgres(conn) => TellOfChange::new(user.as_str()).execute(conn)?,
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

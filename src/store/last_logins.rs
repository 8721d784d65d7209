//! Updates `last_login_at` of many users at once.

use super::prepared::prepared;
use super::{DbConn, StoreError, WriteOne};
use crate::domain::{Time, UserId};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamp};
use diesel::sqlite::Sqlite;

/// Advances `last_login_at` of these users, sorted by id, to these times.
pub struct NoteLogins(pub Vec<(UserId, Time)>);

prepared! {
    /// One user's time; never moves it backwards.
    NoteLogin<'a> on Sqlite {
        at: Timestamp = Time, id: Text = &'a str, later_than: Timestamp = Time,
    } -> (),
    "UPDATE users SET last_login_at = ? WHERE id = ? AND last_login_at < ?"
}

prepared! {
    /// All users' times; never moves one backwards. Locks the rows in order of their ids.
    NoteAllLogins<'a> on Pg { ids: Array<Text> = Vec<&'a str>, times: Array<Timestamp> = Vec<Time> } -> (),
    "WITH later AS (
         SELECT users.id, t.at FROM unnest(?, ?) AS t (id, at) JOIN users ON users.id = t.id
         WHERE users.last_login_at < t.at ORDER BY users.id FOR NO KEY UPDATE OF users
     )
     UPDATE users SET last_login_at = later.at FROM later WHERE users.id = later.id"
}

impl WriteOne for NoteLogins {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        let Self(logins) = self;
        match conn {
            DbConn::Sqlite(conn) => {
                for (id, at) in logins {
                    NoteLogin { at: *at, id: id.as_str(), later_than: *at }.execute(conn)?;
                }
            }
            DbConn::Postgres(conn) => {
                let (ids, times) = logins.iter().map(|(id, at)| (id.as_str(), *at)).unzip();
                NoteAllLogins { ids, times }.execute(conn)?;
            }
        }
        Ok(())
    }
}

//! Rotation on SQLite. The write lock is held from the beginning, so what was read stays true.

use super::{Held, HeldSessions, RotateSession, Row, RowSql, session_columns};
use crate::domain::{Generation, SessionId, Time};
use crate::store::StoreError;
use crate::store::prepared::prepared;
use crate::store::users::user_columns;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text, Timestamp};
use diesel::sqlite::Sqlite;

prepared! {
    /// Reads a session and its user.
    FindSession<'a> on Sqlite { id: Text = &'a str } -> RowSql,
    concat!(
        "SELECT ", session_columns!(), ", ", user_columns!(), ",
             (SELECT group_concat(role, ' ') FROM user_roles WHERE user_id = u.id),
             EXISTS (SELECT 1 FROM identities WHERE user_id = u.id AND unionid IS NOT NULL)
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?"
    )
}

prepared! {
    /// Writes the next generation, if the row still has the one that was read.
    TurnSession<'a> on Sqlite {
        generation: Integer = Generation, rotated_at: Timestamp = Time,
        last_used_at: Timestamp = Time, expires_at: Timestamp = Time,
        burst_generation: Integer = Generation, burst_began_at: Nullable<Timestamp> = Option<Time>,
        id: Text = &'a str, stored: Integer = Generation,
    } -> (),
    "UPDATE sessions SET generation = ?, rotated_at = ?, last_used_at = ?, expires_at = ?,
         burst_generation = ?, burst_began_at = ?
     WHERE id = ? AND generation = ?"
}

pub(super) fn hold(
    batch: &[&RotateSession],
    conn: &mut SqliteConnection,
) -> Result<HeldSessions, StoreError> {
    let mut held = HeldSessions::new();
    for RotateSession { session, .. } in batch {
        if !held.contains_key(session) {
            let find = FindSession { id: session.as_str() };
            held.extend(find.get_result::<Row>(conn).optional()?.map(Held::from_row));
        }
    }
    Ok(held)
}

/// Returns the number of rows written.
pub(super) fn write(
    turned: &[(&SessionId, &Held)],
    conn: &mut SqliteConnection,
) -> Result<usize, StoreError> {
    let mut written = 0;
    for (id, held) in turned {
        let (burst_generation, burst_began_at) = held.burst_row();
        let turn = TurnSession {
            generation: held.state.generation,
            rotated_at: held.state.rotated_at,
            last_used_at: held.state.rotated_at,
            expires_at: held.state.expires_at,
            burst_generation,
            burst_began_at,
            id: id.as_str(),
            stored: held.stored,
        };
        written += turn.execute(conn)?;
    }
    Ok(written)
}

//! Rotation on SQLite. The write lock is held from the beginning, so what was read stays true.

use super::{Held, HeldSessions, Key, RotateSession};
use crate::domain::{Generation, Time};
use crate::store::StoreError;
use crate::store::prepared::prepared;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Text, Timestamp};
use diesel::sqlite::Sqlite;

prepared! {
    /// Reads a session and its user.
    FindSession<'a> on Sqlite { user_id: Text = &'a str, id: Text = &'a str } ->
    ((Text, Integer, Timestamp, Timestamp, Timestamp, (Integer, Nullable<Timestamp>)),
     (Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Timestamp, Timestamp),
     Timestamp, Nullable<Text>, Bool),
    "SELECT s.appid, s.generation, s.rotated_at, s.expires_at, s.ends_at, s.burst_generation, s.burst_began_at,
            u.id, u.status, u.nickname, u.avatar_url, u.phone, u.created_at, u.last_login_at,
            s.created_at,
            (SELECT group_concat(role, ' ') FROM user_roles WHERE user_id = u.id),
            EXISTS (SELECT 1 FROM identities WHERE user_id = u.id AND unionid IS NOT NULL)
     FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = ? AND s.id = ?"
}

prepared! {
    /// Writes the next generation, if the row still has the one that was read.
    TurnSession<'a> on Sqlite {
        generation: Integer = Generation, rotated_at: Timestamp = Time,
        last_used_at: Timestamp = Time, expires_at: Timestamp = Time,
        burst_generation: Integer = Generation, burst_began_at: Nullable<Timestamp> = Option<Time>,
        user_id: Text = &'a str, id: Text = &'a str, stored: Integer = Generation,
    } -> (),
    "UPDATE sessions SET generation = ?, rotated_at = ?, last_used_at = ?, expires_at = ?,
         burst_generation = ?, burst_began_at = ?
     WHERE user_id = ? AND id = ? AND generation = ?"
}

pub(super) fn hold<'a>(
    batch: &[&'a RotateSession],
    conn: &mut SqliteConnection,
) -> Result<HeldSessions<'a>, StoreError> {
    let mut held = HeldSessions::new();
    for rotate in batch {
        let (user, session) = rotate.key();
        if !held.contains_key(&(user, session))
            && let Some(row) = (FindSession { user_id: user, id: session }).get_result(conn).optional()?
        {
            held.insert((user, session), Held::from_row(row));
        }
    }
    Ok(held)
}

/// Returns the number of rows written.
pub(super) fn write(turned: &[(Key<'_>, &Held)], conn: &mut SqliteConnection) -> Result<usize, StoreError> {
    let mut written = 0;
    for ((user, session), held) in turned {
        let (burst_generation, burst_began_at) = held.burst_row();
        let turn = TurnSession {
            generation: held.state.generation,
            rotated_at: held.state.rotated_at,
            last_used_at: held.state.rotated_at,
            expires_at: held.state.expires_at,
            burst_generation,
            burst_began_at,
            user_id: user,
            id: session,
            stored: held.stored,
        };
        written += turn.execute(conn)?;
    }
    Ok(written)
}

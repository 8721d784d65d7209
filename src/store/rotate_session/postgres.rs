//! Rotation on Postgres: two statements for the whole group. Rows are locked in the order of their users, as by
//! sign-ins that end a user's oldest sessions, so that two nodes hardly ever deadlock; those that do are tried again.

use super::{Held, HeldSessions, RotateSession, Row, RowSql, session_columns};
use crate::domain::{Generation, SessionId, Time};
use crate::store::StoreError;
use crate::store::prepared::prepared;
use crate::store::users::user_columns;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Nullable, Text, Timestamp};

type Texts<'a> = Vec<&'a str>;
type Times = Vec<Time>;

prepared! {
    /// Reads sessions and their users, and locks the sessions until the transaction ends.
    HoldSessions<'a> on Pg { ids: Array<Text> = Texts<'a> } -> RowSql,
    concat!(
        "SELECT ", session_columns!(), ", ", user_columns!(), ",
             (SELECT string_agg(role, ' ') FROM user_roles r WHERE r.user_id = u.id),
             COALESCE((SELECT true FROM identities i WHERE i.user_id = u.id AND i.unionid IS NOT NULL LIMIT 1), false)
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = ANY (?) ORDER BY s.user_id, s.id FOR NO KEY UPDATE OF s"
    )
}

prepared! {
    /// Writes the next generations, if the rows still have those that were read.
    TurnSessions<'a> on Pg {
        ids: Array<Text> = Texts<'a>, stored: Array<Integer> = Vec<Generation>,
        generations: Array<Integer> = Vec<Generation>, rotated: Array<Timestamp> = Times,
        expires: Array<Timestamp> = Times, burst_generations: Array<Integer> = Vec<Generation>,
        bursts: Array<Nullable<Timestamp>> = Vec<Option<Time>>,
    } -> (),
    "UPDATE sessions s SET generation = t.generation, rotated_at = t.rotated_at, last_used_at = t.rotated_at,
         expires_at = t.expires_at, burst_generation = t.burst_generation, burst_began_at = t.burst_began_at
     FROM unnest(?, ?, ?, ?, ?, ?, ?)
         AS t (id, stored, generation, rotated_at, expires_at, burst_generation, burst_began_at)
     WHERE s.id = t.id AND s.generation = t.stored"
}

pub(super) fn hold(batch: &[&RotateSession], conn: &mut PgConnection) -> Result<HeldSessions, StoreError> {
    let hold = HoldSessions { ids: batch.iter().map(|rotate| rotate.session.as_str()).collect() };
    Ok(hold.load::<Row>(conn)?.into_iter().map(Held::from_row).collect())
}

/// Returns the number of rows written.
pub(super) fn write(turned: &[(&SessionId, &Held)], conn: &mut PgConnection) -> Result<usize, StoreError> {
    if turned.is_empty() {
        return Ok(0);
    }
    let turn = TurnSessions {
        ids: turned.iter().map(|(id, _)| id.as_str()).collect(),
        stored: turned.iter().map(|(_, held)| held.stored).collect(),
        generations: turned.iter().map(|(_, held)| held.state.generation).collect(),
        rotated: turned.iter().map(|(_, held)| held.state.rotated_at).collect(),
        expires: turned.iter().map(|(_, held)| held.state.expires_at).collect(),
        burst_generations: turned.iter().map(|(_, held)| held.burst_row().0).collect(),
        bursts: turned.iter().map(|(_, held)| held.burst_row().1).collect(),
    };
    Ok(turn.execute(conn)?)
}

//! Rotation on Postgres: two statements for the whole group. Rows are locked in key order, so that two nodes
//! never deadlock.

use super::{Held, HeldSessions, Key, RotateSession};
use crate::domain::{Generation, Time};
use crate::store::StoreError;
use crate::store::prepared::prepared;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Timestamp};
use std::collections::{HashMap, HashSet};

type Texts<'a> = Vec<&'a str>;
type Times = Vec<Time>;

prepared! {
    /// Reads sessions and their users, and locks the sessions until the transaction ends.
    HoldSessions<'a> on Pg { user_ids: Array<Text> = Texts<'a>, ids: Array<Text> = Texts<'a> } ->
    (Text,
     ((Text, Integer, Timestamp, Timestamp, Timestamp, (Integer, Nullable<Timestamp>)),
      (Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Timestamp, Timestamp),
      Timestamp, Nullable<Text>, Bool)),
    "SELECT s.id, s.appid, s.generation, s.rotated_at, s.expires_at, s.ends_at, s.burst_generation, s.burst_began_at,
            u.id, u.status, u.nickname, u.avatar_url, u.phone, u.created_at, u.last_login_at,
            s.created_at,
            (SELECT string_agg(role, ' ') FROM user_roles r WHERE r.user_id = u.id),
            COALESCE((SELECT true FROM identities i WHERE i.user_id = u.id AND i.unionid IS NOT NULL LIMIT 1), false)
     FROM unnest(?, ?) AS wanted (user_id, id) JOIN sessions s USING (user_id, id)
     JOIN users u ON u.id = s.user_id ORDER BY s.user_id, s.id FOR NO KEY UPDATE OF s"
}

prepared! {
    /// Writes the next generations, if the rows still have those that were read.
    TurnSessions<'a> on Pg {
        user_ids: Array<Text> = Texts<'a>, ids: Array<Text> = Texts<'a>, stored: Array<Integer> = Vec<Generation>,
        generations: Array<Integer> = Vec<Generation>, rotated: Array<Timestamp> = Times,
        expires: Array<Timestamp> = Times, burst_generations: Array<Integer> = Vec<Generation>,
        bursts: Array<Nullable<Timestamp>> = Vec<Option<Time>>,
    } -> (),
    "UPDATE sessions s SET generation = t.generation, rotated_at = t.rotated_at, last_used_at = t.rotated_at,
         expires_at = t.expires_at, burst_generation = t.burst_generation, burst_began_at = t.burst_began_at
     FROM unnest(?, ?, ?, ?, ?, ?, ?, ?)
         AS t (user_id, id, stored, generation, rotated_at, expires_at, burst_generation, burst_began_at)
     WHERE s.user_id = t.user_id AND s.id = t.id AND s.generation = t.stored"
}

pub(super) fn hold<'a>(
    batch: &[&'a RotateSession],
    conn: &mut PgConnection,
) -> Result<HeldSessions<'a>, StoreError> {
    let keys: HashSet<Key<'a>> = batch.iter().map(|rotate| rotate.key()).collect();
    let (user_ids, ids) = keys.iter().copied().unzip();
    let rows: Vec<(String, _)> = HoldSessions { user_ids, ids }.load(conn)?;
    let of_key = |(id, row)| {
        let held = Held::from_row(row);
        ((held.user.id.to_string(), id), held)
    };
    let mut found: HashMap<(String, String), Held> = rows.into_iter().map(of_key).collect();
    let take = |key: Key<'a>| Some((key, found.remove(&(key.0.to_owned(), key.1.to_owned()))?));
    Ok(keys.into_iter().filter_map(take).collect())
}

/// Returns the number of rows written.
pub(super) fn write(turned: &[(Key<'_>, &Held)], conn: &mut PgConnection) -> Result<usize, StoreError> {
    if turned.is_empty() {
        return Ok(0);
    }
    let turn = TurnSessions {
        user_ids: turned.iter().map(|((user, _), _)| *user).collect(),
        ids: turned.iter().map(|((_, session), _)| *session).collect(),
        stored: turned.iter().map(|(_, held)| held.stored).collect(),
        generations: turned.iter().map(|(_, held)| held.state.generation).collect(),
        rotated: turned.iter().map(|(_, held)| held.state.rotated_at).collect(),
        expires: turned.iter().map(|(_, held)| held.state.expires_at).collect(),
        burst_generations: turned.iter().map(|(_, held)| held.burst_row().0).collect(),
        bursts: turned.iter().map(|(_, held)| held.burst_row().1).collect(),
    };
    Ok(turn.execute(conn)?)
}

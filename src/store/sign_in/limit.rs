//! Limits the sessions of a user: a login beyond the limit ends the oldest ones.

use super::{RecordSignIn, SignInRecord};
use crate::domain::{Actor, SessionId, UserId};
use crate::store::audit::{Audited, audit};
use crate::store::prepared::prepared;
use crate::store::sessions::{Owned, end, sessions_of_each};
use crate::store::{DbConn, StoreError};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use std::collections::{BTreeMap, HashSet};

prepared! {
    /// Takes a lock per user until the transaction ends: logins of one person on several nodes are
    /// serialized, and each sees what the one before it opened.
    LockUsers<'a> on Pg { user_ids: Array<Text> = Vec<&'a str> } -> (),
    "SELECT pg_advisory_xact_lock(key)
     FROM (SELECT DISTINCT hashtextextended(id, 1) AS key FROM unnest(?) AS t (id) ORDER BY 1) AS k"
}

/// Ends the surplus sessions after these sign-ins were written, and adds them to their records.
pub(super) fn end_surplus(
    batch: &[&RecordSignIn],
    records: &mut [SignInRecord],
    conn: &mut DbConn,
) -> Result<(), StoreError> {
    let mut limited: BTreeMap<UserId, Vec<&RecordSignIn>> = BTreeMap::new();
    for (sign_in, record) in batch.iter().zip(records.iter()) {
        if let SignInRecord::Opened { user, .. } = record
            && sign_in.max_sessions > 0
        {
            limited.entry(user.id.clone()).or_default().push(sign_in);
        }
    }
    if limited.is_empty() {
        return Ok(());
    }
    let users: Vec<&str> = limited.keys().map(UserId::as_str).collect();
    if let DbConn::Postgres(conn) = conn {
        LockUsers { user_ids: users.clone() }.execute(conn)?;
    }
    let mut theirs = sessions_of_each(conn, &users)?;
    for (id, sign_ins) in &limited {
        let surplus = surplus_of(theirs.remove(id.as_str()).unwrap_or_default(), sign_ins);
        end_for(sign_ins, id, &surplus, conn)?;
        for record in records.iter_mut() {
            if let SignInRecord::Opened { user, ended, .. } = record
                && user.id == *id
            {
                ended.clone_from(&surplus);
            }
        }
    }
    Ok(())
}

fn end_for(
    sign_ins: &[&RecordSignIn],
    user: &UserId,
    surplus: &[SessionId],
    conn: &mut DbConn,
) -> Result<(), StoreError> {
    let Some(RecordSignIn { at, client, max_sessions, .. }) = sign_ins.last().filter(|_| !surplus.is_empty())
    else {
        return Ok(());
    };
    end(conn, user, surplus, *at)?;
    let by = Actor::user(user, client.ip);
    let detail = format!("more than {max_sessions} sessions");
    let (action, target) = ("user.logout", user.as_str());
    audit(conn, &Audited { at: *at, by: &by, action, target, detail: Some(&detail) })
}

/// The oldest sessions beyond the limit, given all sessions, oldest first; expired ones do not count. Those
/// just opened count as the newest, whatever their ids say: the clock of this node may be a little behind.
fn surplus_of(theirs: Vec<Owned>, opened: &[&RecordSignIn]) -> Vec<SessionId> {
    let now = opened.iter().map(|sign_in| sign_in.at).max();
    let live = theirs.into_iter().filter(|session| Some(session.expires_at) > now);
    let mut ids: Vec<String> = live.map(|session| session.id).collect();
    ids.reverse();
    let fresh: HashSet<&str> = opened.iter().map(|sign_in| sign_in.session.as_str()).collect();
    ids.sort_by_key(|id| !fresh.contains(id.as_str()));
    let most = opened.iter().map(|sign_in| sign_in.max_sessions).min().unwrap_or_default();
    let mut surplus: Vec<String> = ids.into_iter().skip(most as usize).collect();
    surplus.sort_unstable(); // rows are locked in key order
    surplus.into_iter().map(SessionId::from_stored).collect()
}

//! The exchange record: which session a code became.

use super::schema::{exchanges, sessions};
use super::users::find_user;
use super::{DbConn, Query, StoreError, Write};
use crate::domain::{AppId, CodeHash, Generation, SessionId, Time, User};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// Looks a code's exchange up.
pub struct FindExchange {
    /// The mini-program.
    pub app: AppId,
    /// The code.
    pub code: CodeHash,
}

/// What became of a code.
#[derive(Debug, Clone)]
pub struct FoundExchange {
    /// When the exchange was recorded.
    pub exchanged_at: Time,
    /// Digest of the `Idempotency-Key` that came with it.
    pub idempotency_key: Option<String>,
    /// The user it signed in, as they are now; `None` where they were deleted since.
    pub user: Option<User>,
    /// The session it opened and its present generation; `None` where it has ended, or never began
    /// because the user is banned.
    pub session: Option<(SessionId, Generation)>,
}

impl Query for FindExchange {
    type Output = Option<FoundExchange>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        type Row = (String, String, Option<String>, NaiveDateTime);
        let row: Option<Row> = exchanges::table
            .find((self.app.as_str(), self.code.as_str()))
            .select((
                exchanges::user_id,
                exchanges::session_id,
                exchanges::idempotency_key,
                exchanges::exchanged_at,
            ))
            .first(conn)
            .optional()?;
        let Some((user_id, session_id, idempotency_key, exchanged_at)) = row else { return Ok(None) };
        let generation: Option<Generation> =
            sessions::table.find(&session_id).select(sessions::generation).first(conn).optional()?;
        Ok(Some(FoundExchange {
            exchanged_at: Time::from_stored(exchanged_at),
            idempotency_key,
            user: find_user(conn, &user_id)?,
            session: generation.map(|generation| (SessionId::from_stored(session_id), generation)),
        }))
    }
}

/// Forgets exchanges recorded before a moment, at most `limit` of them; gives back how many went.
pub struct PurgeExchanges {
    /// Older ones go.
    pub before: Time,
    /// A small bite, so that logins never wait behind it.
    pub limit: i64,
}

impl Write for PurgeExchanges {
    type Output = usize;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<usize>, StoreError> {
        batch.iter().map(|purge| purge.apply_one(conn)).collect()
    }
}

impl PurgeExchanges {
    fn apply_one(&self, conn: &mut DbConn) -> Result<usize, StoreError> {
        let old: Vec<(String, String)> = exchanges::table
            .filter(exchanges::exchanged_at.lt(self.before.to_stored()))
            .order(exchanges::exchanged_at)
            .limit(self.limit)
            .select((exchanges::appid, exchanges::code_hash))
            .load(conn)?;
        for (appid, code_hash) in &old {
            diesel::delete(exchanges::table.find((appid, code_hash))).execute(conn)?;
        }
        Ok(old.len())
    }
}

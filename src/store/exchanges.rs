//! The exchange record: the session that a code was exchanged for.

use super::schema::{exchanges, fresh_logins, sessions};
use super::users::find_user;
use super::{DbConn, Query, StoreError, WriteOne};
use crate::domain::{CodeKey, Generation, SessionId, Time, User};
use diesel::prelude::*;

/// Looks up the exchange of a code.
pub struct FindExchange {
    /// The code.
    pub key: CodeKey,
    /// Now.
    pub at: Time,
}

/// The exchange of a code.
#[derive(Debug, Clone)]
pub struct FoundExchange {
    /// When the exchange was recorded.
    pub exchanged_at: Time,
    /// Digest of the `Idempotency-Key` sent with it.
    pub idempotency_key: Option<String>,
    /// The user it signed in, as they are now; `None` if they were deleted since.
    pub user: Option<User>,
    /// The session it opened; `None` if it has ended, or if the user was banned and it was never opened.
    pub session: Option<LiveSession>,
}

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct LiveSession {
    /// Its id.
    pub id: SessionId,
    /// The current generation of its refresh token.
    pub generation: Generation,
    /// When it was opened.
    pub opened_at: Time,
    /// When it expires unless it is used.
    pub expires_at: Time,
}

impl Query for FindExchange {
    type Output = Option<FoundExchange>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let Some((user_id, session_id, idempotency_key, exchanged_at)) = self.find(conn)? else {
            return Ok(None);
        };
        let now = self.at.to_stored();
        let session: Option<(Generation, Time, Time)> = sessions::table
            .find(&session_id)
            .filter(sessions::user_id.eq(&user_id))
            .filter(sessions::expires_at.gt(now))
            .select((sessions::generation, sessions::created_at, sessions::expires_at))
            .first(conn)
            .optional()?;
        Ok(Some(FoundExchange {
            exchanged_at,
            idempotency_key,
            user: find_user(conn, &user_id)?,
            session: session.map(|(generation, opened_at, expires_at)| LiveSession {
                id: SessionId::from_stored(session_id),
                generation,
                opened_at,
                expires_at,
            }),
        }))
    }
}

/// User, session, `Idempotency-Key` and time of an exchange.
type Row = (String, String, Option<String>, Time);

impl FindExchange {
    /// Looks in `fresh_logins` before `exchanges`, the direction in which rows move, so that none is missed.
    fn find(&self, conn: &mut DbConn) -> Result<Option<Row>, StoreError> {
        let (appid, code) = (self.key.app.as_str(), self.key.code.to_string());
        if let DbConn::Sqlite(conn) = conn {
            let fresh = fresh_logins::table
                .filter(fresh_logins::appid.eq(appid))
                .filter(fresh_logins::code_hash.eq(&code))
                .select((
                    fresh_logins::user_id,
                    fresh_logins::session_id,
                    fresh_logins::idempotency_key,
                    fresh_logins::exchanged_at,
                ));
            let row: Option<Row> = fresh.first(conn).optional()?;
            if row.is_some() {
                return Ok(row);
            }
        }
        let indexed = exchanges::table.find((appid, &code)).select((
            exchanges::user_id,
            exchanges::session_id,
            exchanges::idempotency_key,
            exchanges::exchanged_at,
        ));
        Ok(indexed.first(conn).optional()?)
    }
}

/// A position in `exchanges`: after this appid and code. The default is before the first row.
#[derive(Debug, Clone, Default)]
pub struct ExchangeCursor {
    appid: String,
    code_hash: String,
}

/// Scans a number of exchanges, in key order, for old ones.
pub struct FindOldExchanges {
    /// The position to continue from.
    pub after: ExchangeCursor,
    /// Finds exchanges older than this.
    pub before: Time,
    /// How many rows to scan.
    pub limit: i64,
}

/// Old exchanges, and the position to continue from.
pub struct OldExchanges {
    /// The rows to delete.
    pub old: Vec<ExchangeCursor>,
    /// The last row scanned; `None` at the end of the table.
    pub next: Option<ExchangeCursor>,
}

impl Query for FindOldExchanges {
    type Output = OldExchanges;

    fn run(&self, conn: &mut DbConn) -> Result<OldExchanges, StoreError> {
        type Row = (String, String, Time);
        let columns = (exchanges::appid, exchanges::code_hash, exchanges::exchanged_at);
        let after =
            exchanges::appid.eq(&self.after.appid).and(exchanges::code_hash.gt(&self.after.code_hash));
        let same_app = exchanges::table.filter(after).order(exchanges::code_hash).limit(self.limit);
        let mut rows: Vec<Row> = same_app.select(columns).load(conn)?;
        let left = self.limit - rows.len() as i64;
        let next_apps = exchanges::table.filter(exchanges::appid.gt(&self.after.appid));
        let next_apps = next_apps.order((exchanges::appid, exchanges::code_hash)).limit(left);
        rows.extend(next_apps.select(columns).load::<Row>(conn)?);
        let at_end = (rows.len() as i64) < self.limit;
        let cursor = |row: &Row| ExchangeCursor { appid: row.0.clone(), code_hash: row.1.clone() };
        let next = rows.last().filter(|_| !at_end).map(cursor);
        Ok(OldExchanges { old: rows.iter().filter(|row| row.2 < self.before).map(cursor).collect(), next })
    }
}

/// Deletes these exchanges.
pub struct DeleteExchanges(pub Vec<ExchangeCursor>);

impl WriteOne for DeleteExchanges {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        for place in &self.0 {
            diesel::delete(exchanges::table.find((&place.appid, &place.code_hash))).execute(conn)?;
        }
        Ok(())
    }
}

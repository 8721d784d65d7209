//! The exchange record: the session that a code was exchanged for. On SQLite it is the login itself, in
//! `recent_logins.rs`; here is the table of Postgres.

use super::prepared::prepared;
use super::recent_logins::FindRecentLogin;
use super::schema::sessions;
use super::users::find_user;
use super::walk::after;
use super::{Bite, DbConn, Query, StoreError, WriteOne};
use crate::domain::{CodeKey, Generation, SessionId, Time, User};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

// Not in `schema.rs`, which is generated from SQLite.
diesel::table! {
    exchanges (appid, code_hash) {
        appid -> Text,
        code_hash -> Text,
        user_id -> Text,
        session_id -> Text,
        idempotency_key -> Nullable<Text>,
        exchanged_at -> Timestamp,
    }
}

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
    fn find(&self, conn: &mut DbConn) -> Result<Option<Row>, StoreError> {
        let (appid, code) = (self.key.app.as_str(), self.key.code.to_string());
        let found = match conn {
            DbConn::Sqlite(conn) => {
                FindRecentLogin { appid, code_hash: &code, fresh: &code, indexed: &code }.get_result(conn)
            }
            DbConn::Postgres(conn) => {
                let columns = (
                    exchanges::user_id,
                    exchanges::session_id,
                    exchanges::idempotency_key,
                    exchanges::exchanged_at,
                );
                exchanges::table.find((appid, &code)).select(columns).first(conn)
            }
        };
        Ok(found.optional()?)
    }
}

/// The key of an exchange, and thereby a position in the order of keys. The default is before the first row.
#[derive(Debug, Clone, Default, Queryable)]
pub struct ExchangeKey {
    appid: String,
    code_hash: String,
}

/// Reads a number of exchanges, in key order; those that are old are due. None on SQLite, where
/// [`FindOldLogins`](super::FindOldLogins) finds them.
pub struct FindOldExchanges {
    /// The position to continue from.
    pub after: ExchangeKey,
    /// Exchanges from before this time are old.
    pub before: Time,
    /// How many rows to read.
    pub limit: i64,
}

impl Query for FindOldExchanges {
    type Output = Bite<ExchangeKey>;

    fn run(&self, conn: &mut DbConn) -> Result<Bite<ExchangeKey>, StoreError> {
        let DbConn::Postgres(conn) = conn else {
            return Ok(Bite::of(Vec::new(), self.limit, |_: &Time| false));
        };
        let key = (exchanges::appid, exchanges::code_hash);
        let rows = exchanges::table
            .filter(after("appid, code_hash", &self.after.appid, &self.after.code_hash))
            .order(key)
            .limit(self.limit)
            .select((key, exchanges::exchanged_at))
            .load::<(ExchangeKey, Time)>(conn)?;
        Ok(Bite::of(rows, self.limit, |exchanged_at| *exchanged_at < self.before))
    }
}

/// Deletes these exchanges.
pub struct DeleteExchanges(pub Vec<ExchangeKey>);

prepared! {
    /// All of them in one round trip.
    DeleteAllExchanges<'a> on Pg { appids: Array<Text> = Vec<&'a str>, codes: Array<Text> = Vec<&'a str> } -> (),
    "DELETE FROM exchanges USING unnest(?, ?) AS t (appid, code_hash)
     WHERE exchanges.appid = t.appid AND exchanges.code_hash = t.code_hash"
}

impl WriteOne for DeleteExchanges {
    type Output = ();

    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let DbConn::Postgres(conn) = conn {
            let keys = self.0.iter().map(|key| (key.appid.as_str(), key.code_hash.as_str()));
            let (appids, codes) = keys.unzip();
            DeleteAllExchanges { appids, codes }.execute(conn)?;
        }
        Ok(())
    }
}

//! The sign-in transaction: finds or makes the user, keeps the session key, opens a session, and records
//! the exchange. Written twice, because it is the hot path: on SQLite a few prepared statements for each
//! sign-in, on Postgres, where every statement is a round trip, a few for the whole group.

mod limit;
mod postgres;
mod sqlite;

use super::{DbConn, StoreError, Write};
use crate::crypto::Sealed;
use crate::domain::{
    AppId, ClientInfo, CodeHash, IdempotencyKey, OpenId, SessionId, Time, UnionId, User, UserId,
};
pub(super) use sqlite::{LOGINS, WRITE_LOGIN};

/// How long a session key that WeChat replaced may still decrypt what was encrypted before, in seconds.
const PREVIOUS_KEY_SECONDS: i64 = 600;

/// A successful exchange at WeChat, to be written down.
#[derive(Debug)]
pub struct RecordSignIn {
    /// The mini-program.
    pub app: AppId,
    /// The code that was exchanged.
    pub code: CodeHash,
    /// The `Idempotency-Key` that came with it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Who WeChat says it is.
    pub openid: OpenId,
    /// The same person over all apps of an Open Platform account, where WeChat tells.
    pub unionid: Option<UnionId>,
    /// The session key under the master key, sealed for [`RecordSignIn::seal_row`].
    pub session_key: Sealed,
    /// Its SHA-256: tells whether WeChat changed the key.
    pub session_key_digest: String,
    /// When the exchange began: the key of an older exchange never replaces a newer one's.
    pub exchange_began: Time,
    /// Where the request came from.
    pub client: ClientInfo,
    /// Now.
    pub at: Time,
    /// How long the refresh token is good unless it is used.
    pub expires_at: Time,
    /// When the session ends however much it is used.
    pub ends_at: Time,
    /// The id of the user, should it be a new one.
    pub new_user: UserId,
    /// The id of the session.
    pub session: SessionId,
    /// How many sessions the user may have with this one; 0: any number.
    pub max_sessions: u32,
}

impl RecordSignIn {
    /// The row identity under which a session key is sealed.
    pub fn seal_row(app: &AppId, openid: &OpenId) -> String {
        format!("identity:{app}:{}", openid.as_str())
    }
}

/// What the sign-in transaction did.
#[derive(Debug, Clone)]
pub enum SignInRecord {
    /// A session was opened for this user.
    Opened {
        /// The user, with this login counted.
        user: User,
        /// Was the user made by this very sign-in?
        created: bool,
        /// Sessions of theirs that ended because there were too many.
        ended: Vec<SessionId>,
    },
    /// The user is barred; no session was opened.
    Banned,
    /// The code had been recorded before; nothing was changed.
    Repeated,
}

impl Write for RecordSignIn {
    type Output = SignInRecord;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<SignInRecord>, StoreError> {
        let mut records = match conn {
            DbConn::Sqlite(conn) => {
                batch.iter().map(|sign_in| sqlite::record(sign_in, conn)).collect::<Result<_, _>>()
            }
            DbConn::Postgres(conn) => postgres::record(batch, conn),
        }?;
        limit::end_surplus(batch, &mut records, conn)?;
        Ok(records)
    }
}

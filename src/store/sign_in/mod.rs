//! The sign-in transaction: finds or creates the user, stores the session key, opens a session, and records
//! the exchange. As this is the hot path, it is written twice: for SQLite with a few prepared statements per
//! sign-in, for Postgres, where every statement is a round trip, with a few for the whole group.

mod limit;
mod postgres;
mod sqlite;

use super::audit::{Audited, audit};
use super::users::{UserSql, WholeUser};
use super::{DbConn, StoreError, Write};
use crate::crypto::Sealed;
use crate::domain::{
    Actor, AppId, ClientInfo, Clock, CodeHash, IdempotencyKey, OpenId, SessionId, Time, UnionId, User, UserId,
};
use diesel::sql_types::{Nullable, Text, Timestamp};
pub(super) use sqlite::{LOGINS, WRITE_LOGIN};

/// Seconds for which a replaced session key may still decrypt what was encrypted before.
const PREVIOUS_KEY_SECONDS: i64 = 600;

/// A successful exchange with WeChat, to be recorded.
#[derive(Debug)]
pub struct RecordSignIn {
    /// The mini-program.
    pub app: AppId,
    /// The code that was exchanged.
    pub code: CodeHash,
    /// The `Idempotency-Key` sent with it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The person's openid.
    pub openid: OpenId,
    /// The person across all apps of an Open Platform account, if WeChat returned it.
    pub unionid: Option<UnionId>,
    /// The session key, sealed under the master key for [`RecordSignIn::seal_row`].
    pub session_key: Sealed,
    /// Its SHA-256, to detect that WeChat changed the key.
    pub session_key_digest: String,
    /// When the exchange began: the key of an older exchange never replaces a newer one's.
    pub exchange_began: Time,
    /// The origin of the request.
    pub client: ClientInfo,
    /// Now.
    pub at: Time,
    /// Tells when the code is recorded. Other nodes take requests that began before then for concurrent ones, so on
    /// Postgres it is asked as late as possible: until the commit, nobody has been answered.
    pub clock: Clock,
    /// When the refresh token expires unless it is used.
    pub expires_at: Time,
    /// When the session ends, however much it is used.
    pub ends_at: Time,
    /// The id of the user, if a new one is created.
    pub new_user: UserId,
    /// The id of the session.
    pub session: SessionId,
    /// Most sessions that the user may have, including this one; 0 means unlimited.
    pub max_sessions: u32,
}

impl RecordSignIn {
    /// The row identity for which a session key is sealed.
    pub fn seal_row(app: &AppId, openid: &OpenId) -> String {
        format!("identity:{app}:{}", openid.as_str())
    }

    fn unionid_text(&self) -> Option<&str> {
        self.unionid.as_ref().map(UnionId::as_str)
    }

    /// Writes the login of a banned user to the audit log.
    fn note_failure(&self, user: &UserId, conn: &mut DbConn) -> Result<(), StoreError> {
        let by = Actor::user(user, self.client.ip);
        let detail = format!("{}: user_banned", self.app);
        let (at, action, target) = (self.at, "login.failure", user.as_str());
        audit(conn, &Audited { at, by: &by, action, target, detail: Some(&detail) })
    }

    /// The result if it opened a session for this user.
    fn opened(&self, mut user: User, created: bool) -> SignInRecord {
        user.last_login_at = self.at;
        user.unionid_linked |= self.unionid.is_some();
        SignInRecord::Opened { user, created, ended: Vec::new() }
    }
}

/// The result of the sign-in transaction.
#[derive(Debug, Clone)]
pub enum SignInRecord {
    /// A session was opened for this user.
    Opened {
        /// The user, including this login.
        user: User,
        /// Was the user created by this sign-in?
        created: bool,
        /// The sessions that ended because the user had too many.
        ended: Vec<SessionId>,
    },
    /// This user is banned; no session was opened.
    Banned(UserId),
    /// The code had already been recorded; nothing was changed.
    Repeated,
}

/// The SQL types of an [`IdentityRow`].
type IdentitySql = (UserSql, Nullable<Text>, Nullable<Text>, Timestamp);
/// The user, the unionid, and the digest of the session key and when its exchange began.
type IdentityRow = (WholeUser, Option<String>, Option<String>, Time);

/// An identity, found or just created, and its user.
struct Identity {
    user: User,
    unionid: Option<String>,
    key_digest: Option<String>,
    key_began_at: Time,
    created: bool,
}

impl Identity {
    fn from_row((user, unionid, key_digest, key_began_at): IdentityRow) -> Self {
        Self { user: user.into_user(), unionid, key_digest, key_began_at, created: false }
    }

    /// Did WeChat change the session key, and is the sign-in's the newer one?
    fn gets_newer_key(&self, sign_in: &RecordSignIn) -> bool {
        self.key_digest.as_deref() != Some(sign_in.session_key_digest.as_str())
            && sign_in.exchange_began > self.key_began_at
    }

    /// The unionid of the sign-in, if it is not the stored one.
    fn other_unionid<'a>(&self, sign_in: &'a RecordSignIn) -> Option<&'a str> {
        sign_in.unionid_text().filter(|unionid| self.unionid.as_deref() != Some(unionid))
    }
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
        for (sign_in, record) in batch.iter().zip(&records) {
            if let SignInRecord::Banned(user) = record {
                sign_in.note_failure(user, conn)?;
            }
        }
        Ok(records)
    }
}

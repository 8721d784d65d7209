//! A session that ends because somebody brought a token of it to be revoked.

use super::api_keys::write_audit;
use super::sessions::end_one;
use super::{DbConn, StoreError, Write};
use crate::domain::{SessionId, Time, UserId};

/// Ends the session of a token that is revoked, unless it has ended already.
#[derive(Debug)]
pub struct RevokeSession {
    /// Whose session.
    pub user: UserId,
    /// Which.
    pub session: SessionId,
    /// Now.
    pub at: Time,
    /// Who revokes the token, for the audit log.
    pub actor: String,
    /// Where the request came from.
    pub ip: Option<String>,
}

impl Write for RevokeSession {
    type Output = ();

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<()>, StoreError> {
        batch.iter().map(|revoke| revoke.apply_one(conn)).collect()
    }
}

impl RevokeSession {
    fn apply_one(&self, conn: &mut DbConn) -> Result<(), StoreError> {
        if end_one(conn, &self.user, &self.session, self.at)? {
            let (target, detail) = (self.user.as_str(), self.session.as_str());
            write_audit(conn, self.at, &self.actor, "user.logout", target, self.ip.as_deref(), detail)?;
        }
        Ok(())
    }
}

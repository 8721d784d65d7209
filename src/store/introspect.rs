//! Reads the session behind a refresh token without changing it.

use super::rotate_session::SessionRow;
use super::schema::{sessions, users};
use super::{DbConn, Query, StoreError};
use crate::domain::{AppId, RefreshState, SessionId, UserId, UserStatus};
use diesel::prelude::*;

/// Finds the session that a refresh token names, with its user's status. A single statement makes the result
/// consistent.
#[derive(Debug)]
pub struct FindRefreshSession {
    /// The session's user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// The parts of a session that its refresh tokens depend on.
#[derive(Debug, Clone)]
pub struct RefreshSession {
    /// The mini-program.
    pub app: AppId,
    /// The state of its refresh tokens.
    pub state: RefreshState,
    /// May the user sign in?
    pub user_status: UserStatus,
}

impl Query for FindRefreshSession {
    type Output = Option<RefreshSession>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        let row: Option<(SessionRow, String)> = sessions::table
            .inner_join(users::table.on(users::id.eq(sessions::user_id)))
            .filter(sessions::user_id.eq(self.user.as_str()))
            .filter(sessions::id.eq(self.session.as_str()))
            .select((SessionRow::as_select(), users::status))
            .first(conn)
            .optional()?;
        Ok(row.map(|(session, status)| RefreshSession {
            app: AppId::from_stored(&session.appid),
            state: session.state(),
            user_status: UserStatus::from_stored(&status),
        }))
    }
}

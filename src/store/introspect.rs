//! Reads the session behind a refresh token without changing it.

use super::rotate_session::stored_burst;
use super::schema::{sessions, users};
use super::{DbConn, Query, StoreError};
use crate::domain::{AppId, Generation, RefreshState, SessionId, Time, UserId, UserStatus};
use chrono::NaiveDateTime;
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
        type Row = (String, (Generation, NaiveDateTime, NaiveDateTime), (Generation, Option<Time>), String);
        let row: Option<Row> = sessions::table
            .inner_join(users::table.on(users::id.eq(sessions::user_id)))
            .filter(sessions::user_id.eq(self.user.as_str()))
            .filter(sessions::id.eq(self.session.as_str()))
            .select((
                sessions::appid,
                (sessions::generation, sessions::rotated_at, sessions::expires_at),
                (sessions::burst_generation, sessions::burst_began_at),
                users::status,
            ))
            .first(conn)
            .optional()?;
        Ok(row.map(|(appid, (generation, rotated_at, expires_at), burst, status)| RefreshSession {
            app: AppId::from_stored(&appid),
            state: RefreshState {
                generation,
                rotated_at: Time::from_stored(rotated_at),
                expires_at: Time::from_stored(expires_at),
                burst: stored_burst(burst),
            },
            user_status: UserStatus::from_stored(&status),
        }))
    }
}

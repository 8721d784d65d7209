//! Lifetimes of tokens, and the limit on sessions.

use super::reader::Reader;
use super::settings::{
    WEAUTH_ACCESS_TTL, WEAUTH_MAX_SESSIONS, WEAUTH_REFRESH_GRACE, WEAUTH_REFRESH_TTL, WEAUTH_REPLAY_WINDOW,
};
use crate::domain::Lifetimes;

/// Lifetimes, all in seconds, and the number of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenConfig {
    /// The lifetime of an access token (`WEAUTH_ACCESS_TTL`).
    pub access_ttl: u32,
    /// The lifetime of a refresh token after its latest use (`WEAUTH_REFRESH_TTL`). An access token issued with it
    /// may live longer.
    pub refresh_ttl: u32,
    /// The grace period of a rotated refresh token (`WEAUTH_REFRESH_GRACE`).
    pub refresh_grace: u32,
    /// How long a repeated login is answered again (`WEAUTH_REPLAY_WINDOW`); 0: never.
    pub replay_window: u32,
    /// How many sessions a user may have at once (`WEAUTH_MAX_SESSIONS`); 0: unlimited.
    pub max_sessions: u32,
}

impl TokenConfig {
    /// Reads all of it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let access_ttl = reader.number(&WEAUTH_ACCESS_TTL);
        let refresh_ttl = reader.number(&WEAUTH_REFRESH_TTL);
        let refresh_grace = reader.number(&WEAUTH_REFRESH_GRACE);
        let replay_window = reader.number(&WEAUTH_REPLAY_WINDOW);
        let max_sessions = reader.number(&WEAUTH_MAX_SESSIONS);
        Some(Self {
            access_ttl: access_ttl?,
            refresh_ttl: refresh_ttl?,
            refresh_grace: refresh_grace?,
            replay_window: replay_window?,
            max_sessions: max_sessions?,
        })
    }

    /// The lifetimes among it.
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            access: self.access_ttl.into(),
            refresh: self.refresh_ttl.into(),
            grace: self.refresh_grace.into(),
            replay: self.replay_window.into(),
        }
    }
}

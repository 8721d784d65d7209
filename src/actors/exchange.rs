//! What becomes of a code that is brought to WeChat.

use crate::domain::Time;
use crate::wechat::{Exchanged, WeChatError};

/// The result of exchanging a code, and when the exchange began.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What WeChat returned.
    pub exchanged: Exchanged,
    /// When WeChat was first asked. Of two exchanges for one user, the session key of the later one wins.
    pub began_at: Time,
}

/// Why a code was not exchanged. Cheap to clone: every caller that waits for an exchange gets a copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// WeChat failed or refused the code.
    #[error(transparent)]
    WeChat(#[from] WeChatError),
    /// This server remembers that the code was exchanged, so long ago that its record can't still be pending.
    #[error("the code was used some time ago")]
    UsedLongAgo,
    /// The mini-program is none of this server's.
    #[error("the mini-program is not served here")]
    UnknownApp,
    /// Too many exchanges are in progress.
    #[error("too many exchanges are under way")]
    Busy,
    /// The exchange panicked; others are not affected.
    #[error("the exchange crashed")]
    Crashed,
}

//! Maps each failure to what a client sees. No `_` arms: a new failure does not compile until someone decides.

use super::{ErrorCode, Problem};
use crate::flows::{RefreshError, SignInError};
use crate::store::StoreError;
use crate::tokens::TokenError;
use crate::wechat::WeChatError;

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::WeChat(error) => error.into(),
            SignInError::Store(error) => error.into(),
            SignInError::Banned => Self::new(ErrorCode::UserBanned),
            SignInError::Key(_) | SignInError::Crashed => {
                log::error!("a login failed by a fault of ours: {error}");
                Self::new(ErrorCode::Overloaded)
            }
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => Self::new(ErrorCode::RefreshTokenInvalid),
            RefreshError::Reused => Self::new(ErrorCode::RefreshTokenReused),
            RefreshError::Banned => Self::new(ErrorCode::UserBanned),
            RefreshError::Scope => {
                Self::field("scope", ("asks for more than the user may do", "超出了用户的权限"))
            }
            RefreshError::Store(error) => error.into(),
            RefreshError::Key(_) | RefreshError::Crashed => {
                log::error!("a refresh failed by a fault of ours: {error}");
                Self::new(ErrorCode::Overloaded)
            }
        }
    }
}

impl From<WeChatError> for Problem {
    fn from(error: WeChatError) -> Self {
        Self::new(match error {
            WeChatError::CodeInvalid => ErrorCode::WechatCodeInvalid,
            WeChatError::CodeUsed | WeChatError::CodeUsedBefore => ErrorCode::WechatCodeUsed,
            WeChatError::UserBlocked(_) => ErrorCode::WechatUserBlocked,
            WeChatError::RateLimited(_) => ErrorCode::WechatRateLimited,
            WeChatError::Misconfigured(_) => ErrorCode::WechatMisconfigured,
            WeChatError::SystemBusy | WeChatError::OutcomeUnknown | WeChatError::Unavailable => {
                ErrorCode::WechatUnavailable
            }
            WeChatError::Timeout => ErrorCode::WechatTimeout,
            WeChatError::BadResponse(_) | WeChatError::Crashed => ErrorCode::WechatBadResponse,
            WeChatError::Busy => ErrorCode::Overloaded,
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(match error {
            StoreError::Busy => ErrorCode::Overloaded,
            StoreError::Unavailable(_)
            | StoreError::Conflict(_)
            | StoreError::Pending(_)
            | StoreError::Unable(_)
            | StoreError::Refused(_)
            | StoreError::Crashed => {
                log::error!("the database failed: {error}");
                ErrorCode::DatabaseUnavailable
            }
        })
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::new(match error {
            TokenError::Invalid => ErrorCode::TokenInvalid,
            TokenError::Expired => ErrorCode::TokenExpired,
            TokenError::Revoked => ErrorCode::TokenRevoked,
            TokenError::Banned => ErrorCode::UserBanned,
        })
    }
}

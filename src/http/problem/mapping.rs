//! Maps each failure to what a client sees. No `_` arms: a new failure does not compile until someone decides.

use super::{ErrorCode, OAuthError, Problem};
use crate::actors::ExchangeError;
use crate::flows::{RefreshError, SignInError};
use crate::store::StoreError;
use crate::tokens::TokenError;
use crate::wechat::WeChatError;

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Exchange(ExchangeError::WeChat(error)) => error.into(),
            SignInError::Exchange(ExchangeError::UsedLongAgo) => Self::new(ErrorCode::WechatCodeUsed),
            SignInError::Exchange(ExchangeError::UnknownApp) => Self::new(ErrorCode::UnknownApp),
            SignInError::Exchange(ExchangeError::Busy) => Self::new(ErrorCode::Overloaded),
            SignInError::Store(error) => error.into(),
            SignInError::Banned => Self::new(ErrorCode::UserBanned),
            SignInError::Exchange(ExchangeError::Crashed) | SignInError::Key(_) | SignInError::Crashed => {
                Self::new(ErrorCode::Overloaded)
                    .caused_by(format!("a login failed by a fault of ours: {error}"))
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
                    .named_in_oauth(OAuthError::InvalidScope)
            }
            RefreshError::Store(error) => error.into(),
            RefreshError::Key(_) | RefreshError::Crashed => Self::new(ErrorCode::Overloaded)
                .caused_by(format!("a refresh failed by a fault of ours: {error}")),
        }
    }
}

impl From<WeChatError> for Problem {
    fn from(error: WeChatError) -> Self {
        Self::new(match error {
            WeChatError::CodeInvalid => ErrorCode::WechatCodeInvalid,
            WeChatError::CodeUsed => ErrorCode::WechatCodeUsed,
            WeChatError::UserBlocked(_) => ErrorCode::WechatUserBlocked,
            WeChatError::RateLimited(_) => ErrorCode::WechatRateLimited,
            WeChatError::Misconfigured(_) => ErrorCode::WechatMisconfigured,
            WeChatError::SystemBusy | WeChatError::OutcomeUnknown | WeChatError::Unavailable => {
                ErrorCode::WechatUnavailable
            }
            WeChatError::Timeout => ErrorCode::WechatTimeout,
            WeChatError::BadResponse(_) => ErrorCode::WechatBadResponse,
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new(ErrorCode::Overloaded),
            StoreError::Unavailable(_)
            | StoreError::Conflict(_)
            | StoreError::Pending(_)
            | StoreError::Unable(_)
            | StoreError::Refused(_)
            | StoreError::Crashed => {
                Self::new(ErrorCode::DatabaseUnavailable).caused_by(format!("the database failed: {error}"))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wechat_is_not_blamed_for_a_fault_of_ours() {
        for ours in [ExchangeError::Crashed, ExchangeError::Busy] {
            assert_eq!(Problem::from(SignInError::from(ours)).code(), ErrorCode::Overloaded);
        }
        let unknown = Problem::from(SignInError::from(ExchangeError::UnknownApp));
        assert_eq!(unknown.code(), ErrorCode::UnknownApp);
    }
}

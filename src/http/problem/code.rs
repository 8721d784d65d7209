//! The stable error codes: the one table of statuses and retry hints.

use actix_web::http::StatusCode;
use serde::Serialize;

/// What a client should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Do not retry: the same request will fail again.
    None,
    /// Retry a little later; a login with a new code, since the old one may be spent.
    Later,
    /// Call `wx.login` and retry once.
    Relogin,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $retry:ident;)*) => {
        /// The codes that clients branch on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as clients see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Its HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What to do about it.
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)* }
            }
        }
    };
}

error_codes! {
    /// The request is malformed.
    InvalidRequest = "invalid_request", BAD_REQUEST, None;
    /// The appid is not served here.
    UnknownApp = "unknown_app", BAD_REQUEST, None;
    /// No token came with the request.
    TokenMissing = "token_missing", UNAUTHORIZED, Relogin;
    /// The token is not one of ours.
    TokenInvalid = "token_invalid", UNAUTHORIZED, Relogin;
    /// The token has expired.
    TokenExpired = "token_expired", UNAUTHORIZED, Relogin;
    /// The token's session or user is gone.
    TokenRevoked = "token_revoked", UNAUTHORIZED, Relogin;
    /// The refresh token is not one of ours, or its session has ended.
    RefreshTokenInvalid = "refresh_token_invalid", UNAUTHORIZED, Relogin;
    /// The refresh token was already replaced, so the session was ended.
    RefreshTokenReused = "refresh_token_reused", UNAUTHORIZED, Relogin;
    /// WeChat's 40029.
    WechatCodeInvalid = "wechat_code_invalid", UNAUTHORIZED, Relogin;
    /// WeChat's 40163.
    WechatCodeUsed = "wechat_code_used", UNAUTHORIZED, Relogin;
    /// The token does not carry the required permission.
    PermissionDenied = "permission_denied", FORBIDDEN, None;
    /// An operator banned the user.
    UserBanned = "user_banned", FORBIDDEN, None;
    /// WeChat blocks the user (40226).
    WechatUserBlocked = "wechat_user_blocked", FORBIDDEN, None;
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, None;
    /// The path exists, but not for this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, None;
    /// The body or the head is too long.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, None;
    /// The body is neither JSON nor a form.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, None;
    /// Too many logins from one address.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, Later;
    /// A WeChat quota is used up.
    WechatRateLimited = "wechat_rate_limited", TOO_MANY_REQUESTS, Later;
    /// WeChat's response is not understood.
    WechatBadResponse = "wechat_bad_response", BAD_GATEWAY, Later;
    /// WeChat refuses this server.
    WechatMisconfigured = "wechat_misconfigured", BAD_GATEWAY, None;
    /// WeChat is busy or can't be reached.
    WechatUnavailable = "wechat_unavailable", SERVICE_UNAVAILABLE, Later;
    /// This server is overloaded.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, Later;
    /// The database can't be reached.
    DatabaseUnavailable = "database_unavailable", SERVICE_UNAVAILABLE, Later;
    /// WeChat did not answer in time.
    WechatTimeout = "wechat_timeout", GATEWAY_TIMEOUT, Later;
}

impl ErrorCode {
    /// Seconds for `Retry-After`, which every 429 and 503 carries.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            // WeChat's quotas are per minute, and so is our own.
            Self::WechatRateLimited | Self::RateLimited => Some(60),
            Self::Overloaded => Some(1),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_429_and_503_says_when_to_come_back() {
        for code in ErrorCode::ALL {
            let busy = matches!(code.status().as_u16(), 429 | 503);
            assert_eq!(code.retry_after().is_some(), busy, "{}", code.as_str());
        }
    }
}

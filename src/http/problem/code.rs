//! The stable error codes: the one table of what is fixed about each.

use super::facts::{Facts, Retry};
use super::oauth::OAuthError;
use super::texts::Texts;
use actix_web::http::StatusCode;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal {
        status: $status:ident, retry: $retry:ident, retry_after: $retry_after:expr, oauth: $oauth:ident,
        english: $english:expr,
        chinese: $chinese:expr,
    })*) => {
        /// The codes that clients branch on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub(super) fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$name => &Facts {
                        code: $code,
                        status: StatusCode::$status,
                        retry: Retry::$retry,
                        retry_after: $retry_after,
                        oauth: OAuthError::$oauth,
                        texts: Texts { english: $english, chinese: $chinese },
                    },)*
                }
            }
        }
    };
}

// English and Chinese are each a title and a detail. WeChat's quotas are per minute, and so is our own.
error_codes! {
    /// The request is malformed.
    InvalidRequest = "invalid_request" {
        status: BAD_REQUEST, retry: None, retry_after: None, oauth: InvalidRequest,
        english: ("Invalid request", "The request is malformed."),
        chinese: ("请求无效", "请求的格式不符合要求。"),
    }
    /// The appid is not served here.
    UnknownApp = "unknown_app" {
        status: BAD_REQUEST, retry: None, retry_after: None, oauth: InvalidClient,
        english: ("Unknown mini-program",
            "This server does not serve that appid. Send the appid of your mini-program."),
        chinese: ("未知的小程序", "本服务器没有配置这个 appid，请检查小程序的 appid。"),
    }
    /// No token came with the request.
    TokenMissing = "token_missing" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidClient,
        english: ("Access token missing", "Send the access token as `Authorization: Bearer TOKEN`."),
        chinese: ("缺少访问令牌", "请在请求头中携带访问令牌：`Authorization: Bearer TOKEN`。"),
    }
    /// The token is not one of ours.
    TokenInvalid = "token_invalid" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidClient,
        english: ("Access token invalid",
            "The access token is not valid here. Call wx.login and log in again."),
        chinese: ("访问令牌无效", "访问令牌无效，请调用 wx.login 重新登录。"),
    }
    /// The token has expired.
    TokenExpired = "token_expired" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidClient,
        english: ("Access token expired", "The access token has expired. Log in again."),
        chinese: ("访问令牌已过期", "访问令牌已过期，请重新登录。"),
    }
    /// The token's session or user is gone.
    TokenRevoked = "token_revoked" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidClient,
        english: ("Session ended",
            "The session of this access token has ended. Call wx.login and log in again."),
        chinese: ("会话已结束", "该令牌所属的会话已结束，请调用 wx.login 重新登录。"),
    }
    /// The refresh token is not one of ours, or its session has ended.
    RefreshTokenInvalid = "refresh_token_invalid" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidGrant,
        english: ("Refresh token invalid",
            "The refresh token is not valid any more. Call wx.login and log in again."),
        chinese: ("刷新令牌无效", "刷新令牌已失效，请调用 wx.login 重新登录。"),
    }
    /// The refresh token was already replaced, so the session was ended.
    RefreshTokenReused = "refresh_token_reused" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidGrant,
        english: ("Refresh token used twice",
            "This refresh token was replaced before, so somebody else may hold it: the session has been \
             ended. Call wx.login and log in again."),
        chinese: ("刷新令牌被重复使用", "该刷新令牌已被替换，可能已泄露，会话已结束。请调用 wx.login 重新登录。"),
    }
    /// WeChat's 40029.
    WechatCodeInvalid = "wechat_code_invalid" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidGrant,
        english: ("Login code invalid",
            "WeChat does not accept the code: it has expired, or it was made by another appid than this \
             server's. Call wx.login again, once."),
        chinese: ("登录凭证无效", "微信不接受这个 code：已过期，或由另一个 appid 生成。请重新调用一次 wx.login。"),
    }
    /// WeChat's 40163.
    WechatCodeUsed = "wechat_code_used" {
        status: UNAUTHORIZED, retry: Relogin, retry_after: None, oauth: InvalidGrant,
        english: ("Login code used",
            "This code has been exchanged already. Call wx.login again for a new one."),
        chinese: ("登录凭证已使用", "这个 code 已经使用过，请重新调用 wx.login 获取新的 code。"),
    }
    /// The token does not carry the required permission.
    PermissionDenied = "permission_denied" {
        status: FORBIDDEN, retry: None, retry_after: None, oauth: AccessDenied,
        english: ("Permission denied", "The user does not hold the permission that this call needs."),
        chinese: ("权限不足", "当前用户没有此操作所需的权限。"),
    }
    /// An operator banned the user.
    UserBanned = "user_banned" {
        status: FORBIDDEN, retry: None, retry_after: None, oauth: InvalidGrant,
        english: ("User banned", "This user may not sign in."),
        chinese: ("用户已被封禁", "该用户已被管理员封禁，无法登录。"),
    }
    /// WeChat blocks the user (40226).
    WechatUserBlocked = "wechat_user_blocked" {
        status: FORBIDDEN, retry: None, retry_after: None, oauth: InvalidGrant,
        english: ("Blocked by WeChat",
            "WeChat does not let this user log in. Do not try again automatically."),
        chinese: ("被微信拦截", "微信拦截了该用户的登录，请勿自动重试。"),
    }
    /// There is nothing at this path.
    NotFound = "not_found" {
        status: NOT_FOUND, retry: None, retry_after: None, oauth: InvalidRequest,
        english: ("Not found", "There is nothing at this address."),
        chinese: ("未找到", "该地址不存在。"),
    }
    /// The path exists, but not for this method.
    MethodNotAllowed = "method_not_allowed" {
        status: METHOD_NOT_ALLOWED, retry: None, retry_after: None, oauth: InvalidRequest,
        english: ("Method not allowed", "This address does not answer that method; see the Allow header."),
        chinese: ("不支持的请求方法", "该地址不支持此请求方法，请查看 Allow 响应头。"),
    }
    /// The body or the head is too long.
    PayloadTooLarge = "payload_too_large" {
        status: PAYLOAD_TOO_LARGE, retry: None, retry_after: None, oauth: InvalidRequest,
        english: ("Too large", "The body may be 64 KiB long, the request line and headers 16 KiB."),
        chinese: ("请求过大", "请求体不得超过 64 KiB，请求行与请求头不得超过 16 KiB。"),
    }
    /// The body is neither JSON nor a form.
    UnsupportedMediaType = "unsupported_media_type" {
        status: UNSUPPORTED_MEDIA_TYPE, retry: None, retry_after: None, oauth: InvalidRequest,
        english: ("Unsupported media type", "Send application/json or application/x-www-form-urlencoded."),
        chinese: ("不支持的内容类型", "请使用 application/json 或 application/x-www-form-urlencoded。"),
    }
    /// Too many logins from one address.
    RateLimited = "rate_limited" {
        status: TOO_MANY_REQUESTS, retry: Later, retry_after: Some(60), oauth: TemporarilyUnavailable,
        english: ("Too many logins", "Too many logins came from this address. Try again a little later."),
        chinese: ("登录过于频繁", "来自该地址的登录过多，请稍后再试。"),
    }
    /// A WeChat quota is used up.
    WechatRateLimited = "wechat_rate_limited" {
        status: TOO_MANY_REQUESTS, retry: Later, retry_after: Some(60), oauth: TemporarilyUnavailable,
        english: ("WeChat's quota is used up",
            "WeChat limits how often this mini-program may log in. Try again in a minute."),
        chinese: ("微信接口调用超限", "微信限制了该小程序的登录频率，请一分钟后再试。"),
    }
    /// WeChat's response is not understood.
    WechatBadResponse = "wechat_bad_response" {
        status: BAD_GATEWAY, retry: Later, retry_after: None, oauth: ServerError,
        english: ("WeChat's answer could not be understood",
            "WeChat answered with something unexpected. Call wx.login and try again later."),
        chinese: ("微信响应异常", "微信返回了无法识别的内容，请稍后重新调用 wx.login 再试。"),
    }
    /// WeChat refuses this server.
    WechatMisconfigured = "wechat_misconfigured" {
        status: BAD_GATEWAY, retry: None, retry_after: None, oauth: ServerError,
        english: ("WeChat refuses this server",
            "The operator must correct the WeChat settings; the server's log says how."),
        chinese: ("微信配置有误", "微信拒绝了本服务器，请管理员按服务器日志中的说明修正微信配置。"),
    }
    /// WeChat is busy or can't be reached.
    WechatUnavailable = "wechat_unavailable" {
        status: SERVICE_UNAVAILABLE, retry: Later, retry_after: Some(3), oauth: TemporarilyUnavailable,
        english: ("WeChat unavailable",
            "WeChat is busy or can't be reached. Call wx.login and try again shortly."),
        chinese: ("微信暂不可用", "微信繁忙或无法连接，请稍后重新调用 wx.login 再试。"),
    }
    /// This server is overloaded.
    Overloaded = "overloaded" {
        status: SERVICE_UNAVAILABLE, retry: Later, retry_after: Some(1), oauth: TemporarilyUnavailable,
        english: ("Too busy", "This server has too much to do right now. Try again shortly."),
        chinese: ("服务器繁忙", "服务器当前请求过多，请稍后再试。"),
    }
    /// The database can't be reached.
    DatabaseUnavailable = "database_unavailable" {
        status: SERVICE_UNAVAILABLE, retry: Later, retry_after: Some(3), oauth: TemporarilyUnavailable,
        english: ("Database unavailable",
            "The server can't reach its database right now. Try again shortly."),
        chinese: ("数据库暂不可用", "服务器暂时无法访问数据库，请稍后再试。"),
    }
    /// WeChat did not answer in time.
    WechatTimeout = "wechat_timeout" {
        status: GATEWAY_TIMEOUT, retry: Later, retry_after: None, oauth: ServerError,
        english: ("WeChat did not answer", "WeChat did not answer in time. Call wx.login and try again."),
        chinese: ("微信响应超时", "微信没有及时响应，请重新调用 wx.login 再试。"),
    }
}

//! The texts of the codes, for people, in English and Chinese.

use super::ErrorCode;
use crate::http::language::Language;

/// A title and a detail in each language.
pub(super) struct Texts {
    english: (&'static str, &'static str),
    chinese: (&'static str, &'static str),
}

impl Texts {
    pub(super) fn in_language(&self, language: Language) -> (&'static str, &'static str) {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

pub(super) fn of(code: ErrorCode) -> Texts {
    let (english, chinese) = match code {
        ErrorCode::InvalidRequest => (
            ("Invalid request", "The request is not of the form asked for."),
            ("请求无效", "请求的格式不符合要求。"),
        ),
        ErrorCode::UnknownApp => (
            (
                "Unknown mini-program",
                "This server does not serve that appid. Send the appid of your mini-program.",
            ),
            ("未知的小程序", "本服务器没有配置这个 appid，请检查小程序的 appid。"),
        ),
        ErrorCode::TokenMissing => (
            ("Access token missing", "Send the access token as `Authorization: Bearer TOKEN`."),
            ("缺少访问令牌", "请在请求头中携带访问令牌：`Authorization: Bearer TOKEN`。"),
        ),
        ErrorCode::TokenInvalid => (
            ("Access token invalid", "The access token is not valid here. Call wx.login and log in again."),
            ("访问令牌无效", "访问令牌无效，请调用 wx.login 重新登录。"),
        ),
        ErrorCode::TokenExpired => (
            ("Access token expired", "The access token has expired. Log in again."),
            ("访问令牌已过期", "访问令牌已过期，请重新登录。"),
        ),
        ErrorCode::TokenRevoked => (
            ("Session ended", "The session of this access token has ended. Call wx.login and log in again."),
            ("会话已结束", "该令牌所属的会话已结束，请调用 wx.login 重新登录。"),
        ),
        ErrorCode::RefreshTokenInvalid => (
            (
                "Refresh token invalid",
                "The refresh token is not valid any more. Call wx.login and log in again.",
            ),
            ("刷新令牌无效", "刷新令牌已失效，请调用 wx.login 重新登录。"),
        ),
        ErrorCode::RefreshTokenReused => (
            (
                "Refresh token used twice",
                "This refresh token was replaced before, so somebody else may hold it: the session has been ended. \
                 Call wx.login and log in again.",
            ),
            ("刷新令牌被重复使用", "该刷新令牌已被替换，可能已泄露，会话已结束。请调用 wx.login 重新登录。"),
        ),
        ErrorCode::WechatCodeInvalid => (
            (
                "Login code invalid",
                "WeChat does not accept the code: it has expired, or it was made by another appid than this server's. \
                 Call wx.login again, once.",
            ),
            ("登录凭证无效", "微信不接受这个 code：已过期，或由另一个 appid 生成。请重新调用一次 wx.login。"),
        ),
        ErrorCode::WechatCodeUsed => (
            ("Login code used", "This code has been exchanged already. Call wx.login again for a new one."),
            ("登录凭证已使用", "这个 code 已经使用过，请重新调用 wx.login 获取新的 code。"),
        ),
        ErrorCode::PermissionDenied => (
            ("Permission denied", "The user does not hold the permission that this call needs."),
            ("权限不足", "当前用户没有此操作所需的权限。"),
        ),
        ErrorCode::UserBanned => (
            ("User banned", "This user may not sign in."),
            ("用户已被封禁", "该用户已被管理员封禁，无法登录。"),
        ),
        ErrorCode::WechatUserBlocked => (
            ("Blocked by WeChat", "WeChat does not let this user log in. Do not try again automatically."),
            ("被微信拦截", "微信拦截了该用户的登录，请勿自动重试。"),
        ),
        ErrorCode::NotFound => {
            (("Not found", "There is nothing at this address."), ("未找到", "该地址不存在。"))
        }
        ErrorCode::MethodNotAllowed => (
            ("Method not allowed", "This address does not answer that method; see the Allow header."),
            ("不支持的请求方法", "该地址不支持此请求方法，请查看 Allow 响应头。"),
        ),
        ErrorCode::PayloadTooLarge => (
            ("Too large", "The body may be 64 KiB long, the request line and headers 16 KiB."),
            ("请求过大", "请求体不得超过 64 KiB，请求行与请求头不得超过 16 KiB。"),
        ),
        ErrorCode::UnsupportedMediaType => (
            ("Unsupported media type", "Send application/json or application/x-www-form-urlencoded."),
            ("不支持的内容类型", "请使用 application/json 或 application/x-www-form-urlencoded。"),
        ),
        _ => return of_servers(code),
    };
    Texts { english, chinese }
}

/// The texts of the codes when the token is a backend's API key.
pub(super) fn of_api_key(code: ErrorCode) -> Texts {
    let (english, chinese) = match code {
        ErrorCode::TokenMissing => (
            (
                "API key missing",
                "Send the API key as `Authorization: Bearer KEY`, or by HTTP Basic with its name as the user.",
            ),
            (
                "缺少 API key",
                "请用 `Authorization: Bearer KEY` 发送 API key，或用 HTTP Basic，以它的名称为用户名。",
            ),
        ),
        ErrorCode::TokenInvalid => (
            ("API key invalid", "There is no such API key, or it was revoked."),
            ("API key 无效", "该 API key 不存在，或已被吊销。"),
        ),
        ErrorCode::PermissionDenied => (
            ("Scope missing", "The API key lacks the scope that this call needs."),
            ("API key 权限不足", "该 API key 没有此接口所需的 scope。"),
        ),
        _ => return of(code),
    };
    Texts { english, chinese }
}

/// The texts of the errors that are not the client's fault.
fn of_servers(code: ErrorCode) -> Texts {
    let (english, chinese) = match code {
        ErrorCode::RateLimited => (
            ("Too many logins", "Too many logins came from this address. Try again a little later."),
            ("登录过于频繁", "来自该地址的登录过多，请稍后再试。"),
        ),
        ErrorCode::WechatRateLimited => (
            (
                "WeChat's quota is used up",
                "WeChat limits how often this mini-program may log in. Try again in a minute.",
            ),
            ("微信接口调用超限", "微信限制了该小程序的登录频率，请一分钟后再试。"),
        ),
        ErrorCode::WechatBadResponse => (
            (
                "WeChat's answer makes no sense",
                "WeChat answered with something unexpected. Call wx.login and try again later.",
            ),
            ("微信响应异常", "微信返回了无法识别的内容，请稍后重新调用 wx.login 再试。"),
        ),
        ErrorCode::WechatMisconfigured => (
            (
                "WeChat refuses this server",
                "The operator must correct the WeChat settings; the server's log says how.",
            ),
            ("微信配置有误", "微信拒绝了本服务器，请管理员按服务器日志中的说明修正微信配置。"),
        ),
        ErrorCode::WechatUnavailable => (
            (
                "WeChat unavailable",
                "WeChat is busy or can't be reached. Call wx.login and try again shortly.",
            ),
            ("微信暂不可用", "微信繁忙或无法连接，请稍后重新调用 wx.login 再试。"),
        ),
        ErrorCode::Overloaded => (
            ("Too busy", "This server has too much to do right now. Try again shortly."),
            ("服务器繁忙", "服务器当前请求过多，请稍后再试。"),
        ),
        ErrorCode::DatabaseUnavailable => (
            ("Database unavailable", "The server can't reach its database right now. Try again shortly."),
            ("数据库暂不可用", "服务器暂时无法访问数据库，请稍后再试。"),
        ),
        _ => (
            ("WeChat did not answer", "WeChat did not answer in time. Call wx.login and try again."),
            ("微信响应超时", "微信没有及时响应，请重新调用 wx.login 再试。"),
        ),
    };
    Texts { english, chinese }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let titles: HashSet<_> =
            ErrorCode::ALL.iter().map(|code| of(*code).in_language(Language::Chinese).0).collect();
        assert_eq!(titles.len(), ErrorCode::ALL.len());
        for code in [ErrorCode::TokenMissing, ErrorCode::TokenInvalid, ErrorCode::PermissionDenied] {
            assert!(!titles.contains(of_api_key(code).in_language(Language::Chinese).0));
        }
    }
}

//! The meaning of WeChat's error codes.
//!
//! Source: the error table of `code2Session` and the global return codes
//! (<https://developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session>). `errmsg` is
//! text for humans: it is logged, but never branched on or shown to a client.

/// Why a call to WeChat failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeChatError {
    /// 40029: the code is expired, malformed, of another app or of another kind.
    #[error("WeChat says that the code is not valid (40029)")]
    CodeInvalid,
    /// 40163: the code was exchanged before.
    #[error("the code has been used (40163)")]
    CodeUsed,
    /// `-1`, and 40163 on our retry: either the first try or somebody else used the code.
    #[error("WeChat was busy (-1) and then called the code used (40163)")]
    OutcomeUnknown,
    /// 40226, 50002: WeChat blocks this user.
    #[error("WeChat bars this user ({0})")]
    UserBlocked(i64),
    /// 45011, 45009, 44991: a quota is exhausted.
    #[error("WeChat's quota is used up ({0})")]
    RateLimited(i64),
    /// The operator must act: wrong appid or secret, IP whitelist, frozen account.
    #[error("WeChat refuses this server's configuration ({0})")]
    Misconfigured(i64),
    /// -1, even after the retries.
    #[error("WeChat says that it is busy (-1)")]
    SystemBusy,
    /// No connection, or a circuit that was opened for want of answers.
    #[error("WeChat can't be reached")]
    Unavailable,
    /// No response within the deadline; whether the code was used is unknown.
    #[error("WeChat did not answer in time")]
    Timeout,
    /// An unusable response: not JSON, malformed, an unknown `errcode`, a 5xx.
    #[error("WeChat's answer could not be understood: {0}")]
    BadResponse(String),
}

/// `-1`, the only errcode after which a request may be retried.
pub(super) const SYSTEM_BUSY: i64 = -1;

/// The meaning of a non-zero `errcode`.
pub(super) fn meaning(errcode: i64) -> WeChatError {
    match errcode {
        SYSTEM_BUSY => WeChatError::SystemBusy,
        40029 => WeChatError::CodeInvalid,
        40163 => WeChatError::CodeUsed,
        40226 | 50002 => WeChatError::UserBlocked(errcode),
        45009 | 45011 | 44991 => WeChatError::RateLimited(errcode),
        40001 | 40002 | 40013 | 40090 | 40125 | 40164 | 40243 | 41002 | 41004 | 41008 | 43002 | 43003
        | 48001 | 50004 | 50007 | 61003 | 89503 | 89506 | 89507 => WeChatError::Misconfigured(errcode),
        _ => WeChatError::BadResponse(format!("unknown errcode {errcode}")),
    }
}

/// Advice to the operator, for the log.
pub(super) fn advice(errcode: i64) -> &'static str {
    match errcode {
        40001 | 40125 => {
            "the AppSecret is wrong: compare WECHAT_SECRET with the console (it may have been reset)"
        }
        40013 | 41002 => "the appid is wrong: compare WECHAT_APPID with the console",
        40029 => "if many codes are invalid, the appid in project.config.json differs from the server's",
        40090 | 40164 => {
            "this server's address is not in the API IP whitelist of the console; it stands in the message"
        }
        40226 => "WeChat holds this user for high-risk; nothing to be done here",
        40243 => "the AppSecret is frozen: unfreeze it in the console",
        44991 | 45009 | 45011 => "the quota of this app is used up; it is given anew each minute or day",
        48001 | 50004 | 50007 => "this account may not call the API: look for a notice in the console",
        89503 | 89506 | 89507 => "an administrator must confirm this server's address in WeChat",
        _ => "see the error's page in WeChat's documentation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_errcode_has_a_meaning() {
        assert_eq!(meaning(-1), WeChatError::SystemBusy);
        assert_eq!(meaning(40029), WeChatError::CodeInvalid);
        assert_eq!(meaning(40163), WeChatError::CodeUsed);
        for configuration in
            [40013, 40125, 40243, 41002, 41004, 41008, 40002, 40164, 43003, 48001, 50004, 50007, 40090]
        {
            assert_eq!(meaning(configuration), WeChatError::Misconfigured(configuration));
        }
        for quota in [45009, 45011, 44991] {
            assert_eq!(meaning(quota), WeChatError::RateLimited(quota));
        }
        for person in [40226, 50002] {
            assert_eq!(meaning(person), WeChatError::UserBlocked(person));
        }
        assert!(matches!(meaning(99999), WeChatError::BadResponse(_)));
    }
}

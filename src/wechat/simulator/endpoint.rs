//! The simulated endpoints of WeChat, and their differences.

use super::wire::Family;

/// The simulated endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    CodeToSession,
    StableToken,
    Token,
    CheckSession,
    ResetUserSessionKey,
    GetUserEncryptKey,
    GetUserPhoneNumber,
    CheckEncryptedMessage,
}

impl Endpoint {
    /// All of them, in the order of their discriminants.
    pub(super) const ALL: [Self; 8] = [
        Endpoint::CodeToSession,
        Endpoint::StableToken,
        Endpoint::Token,
        Endpoint::CheckSession,
        Endpoint::ResetUserSessionKey,
        Endpoint::GetUserEncryptKey,
        Endpoint::GetUserPhoneNumber,
        Endpoint::CheckEncryptedMessage,
    ];

    /// The URL's path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Endpoint::CodeToSession => "/sns/jscode2session",
            Endpoint::StableToken => "/cgi-bin/stable_token",
            Endpoint::Token => "/cgi-bin/token",
            Endpoint::CheckSession => "/wxa/checksession",
            Endpoint::ResetUserSessionKey => "/wxa/resetusersessionkey",
            Endpoint::GetUserEncryptKey => "/wxa/business/getuserencryptkey",
            Endpoint::GetUserPhoneNumber => "/wxa/business/getuserphonenumber",
            Endpoint::CheckEncryptedMessage => "/wxa/business/checkencryptedmsg",
        }
    }

    /// The last segment of the path, which names the endpoint in the control API.
    pub(super) fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// The format of its responses.
    pub(super) fn family(self) -> Family {
        match self {
            Endpoint::CodeToSession => Family::Sns,
            Endpoint::StableToken
            | Endpoint::Token
            | Endpoint::CheckSession
            | Endpoint::ResetUserSessionKey => Family::Cgi,
            Endpoint::GetUserEncryptKey | Endpoint::GetUserPhoneNumber | Endpoint::CheckEncryptedMessage => {
                Family::Business
            }
        }
    }

    /// Does it take its parameters as JSON in the body, and therefore by POST only?
    pub(super) fn takes_json(self) -> bool {
        matches!(self, Endpoint::StableToken | Endpoint::GetUserPhoneNumber | Endpoint::CheckEncryptedMessage)
    }
}

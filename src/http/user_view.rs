//! Users as shown to themselves (`GET /me`, a login's answer) and to operators, in lists and one by one.

use super::sessions::SessionView;
use crate::domain::{AppId, Identity, Permission, Role, Session, Time, User, UserId, UserStatus, mask_phone};
use serde::Serialize;

/// A user in a response.
#[derive(Serialize)]
pub(crate) struct UserView<'a> {
    id: &'a UserId,
    status: UserStatus,
    roles: &'a [Role],
    permissions: &'a [Permission],
    nickname: Option<&'a str>,
    avatar_url: Option<&'a str>,
    phone: Option<String>,
    unionid_linked: bool,
    created_at: Time,
    last_login_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<bool>,
}

impl<'a> UserView<'a> {
    /// A user with the permissions of their roles; `created` only in a login's answer.
    pub(crate) fn of(user: &'a User, permissions: &'a [Permission], created: Option<bool>) -> Self {
        Self {
            id: &user.id,
            status: user.status,
            roles: &user.roles,
            permissions,
            nickname: user.nickname.as_deref(),
            avatar_url: user.avatar_url.as_deref(),
            phone: user.phone.as_deref().map(mask_phone),
            unionid_linked: user.unionid_linked,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
            created,
        }
    }
}

/// A page of a list of users.
#[derive(Serialize)]
pub(crate) struct UserPageView<'a> {
    /// The users, in order.
    pub(crate) items: Vec<UserView<'a>>,
    /// The cursor for the next page; `null` at the end.
    pub(crate) next_cursor: Option<String>,
    /// How many users there are in all.
    pub(crate) total: usize,
    /// Whether there are more than `total`, where counting stopped.
    pub(crate) total_is_estimate: bool,
}

/// A user with what belongs to them, for operators.
#[derive(Serialize)]
pub(crate) struct UserDetailView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    identities: Vec<IdentityView<'a>>,
    sessions: Vec<SessionView<'a>>,
}

#[derive(Serialize)]
struct IdentityView<'a> {
    appid: &'a AppId,
    openid: &'a str,
    unionid: Option<&'a str>,
    created_at: Time,
}

impl<'a> UserDetailView<'a> {
    /// A user with their identities and live sessions.
    pub(crate) fn of(user: UserView<'a>, identities: &'a [Identity], sessions: &'a [Session]) -> Self {
        let identities = identities.iter().map(|identity| IdentityView {
            appid: &identity.app,
            openid: identity.openid.as_str(),
            unionid: identity.unionid.as_ref().map(|unionid| unionid.as_str()),
            created_at: identity.created_at,
        });
        let sessions = sessions.iter().map(|session| SessionView::of(session, None));
        Self { user, identities: identities.collect(), sessions: sessions.collect() }
    }
}

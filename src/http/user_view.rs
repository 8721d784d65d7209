//! The user as they are shown: what `GET /me` answers, and `user` in a login's answer.

use crate::domain::{Permission, Role, Time, UserId, UserStatus, mask_phone};
use crate::flows::KnownUser;
use serde::Serialize;

/// A user in an answer.
#[derive(Serialize)]
pub(super) struct UserView<'a> {
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
    pub(super) fn of(known: &'a KnownUser, created: Option<bool>) -> Self {
        let user = &known.user;
        Self {
            id: &user.id,
            status: user.status,
            roles: &user.roles,
            permissions: &known.permissions,
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

//! Sign-in on SQLite. The write lock is held from the beginning, so what was read stays true.

mod statements;
mod times;

use super::{PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord};
use crate::domain::{Time, User, UserId, UserStatus};
use crate::store::StoreError;
use crate::store::users::split_roles;
use diesel::prelude::*;
use statements::{
    FindIdentity, FindUserByUnionId, InsertFreshLogin, InsertIdentity, InsertLogin, InsertUser,
    ReplaceSessionKey, SetUnionId, TakeCode,
};
pub(in crate::store) use statements::{LOGINS, WRITE_LOGIN};
use times::{parse, text};

/// A user, and what is stored of the identity's session key.
struct Found {
    user: User,
    created: bool,
    key_digest: Option<String>,
    key_began_at: Time,
    unionid: Option<String>,
}

pub(super) fn record(
    sign_in: &RecordSignIn,
    conn: &mut SqliteConnection,
) -> Result<SignInRecord, StoreError> {
    let at = text(sign_in.at);
    let found = match find(sign_in, conn)? {
        Some(found) => found,
        None => create(sign_in, &at, conn)?,
    };
    let code = sign_in.code.to_string();
    let (appid, code) = (sign_in.app.as_str(), code.as_str());
    if TakeCode::new(appid, code, appid, code).execute(conn)? == 0 {
        return Ok(SignInRecord::Repeated);
    }
    keep_session_key(sign_in, &found, conn)?;
    if found.user.status == UserStatus::Banned {
        let (user, key) = (found.user.id.as_str(), idempotency_key(sign_in));
        InsertFreshLogin::new(user, sign_in.session.as_str(), appid, code, key, &at).execute(conn)?;
        return Ok(SignInRecord::Banned);
    }
    let mut user = found.user;
    user.last_login_at = sign_in.at;
    user.unionid_linked |= sign_in.unionid.is_some();
    open_session(sign_in, &user.id, &at, conn)?;
    Ok(SignInRecord::Opened { user, created: found.created, ended: Vec::new() })
}

fn find(sign_in: &RecordSignIn, conn: &mut SqliteConnection) -> Result<Option<Found>, StoreError> {
    type Row = (
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        String,
        Option<String>,
        Option<String>,
        String,
        Option<String>,
        bool,
    );
    let row: Option<Row> =
        FindIdentity::new(sign_in.app.as_str(), sign_in.openid.as_str()).get_result(conn).optional()?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Found {
        user: User {
            id: UserId::from_stored(row.0),
            status: UserStatus::from_stored(&row.1),
            roles: split_roles(row.9),
            nickname: row.2,
            avatar_url: row.3,
            phone: row.4,
            unionid_linked: row.10,
            created_at: parse(&row.5)?,
            last_login_at: sign_in.at,
        },
        created: false,
        unionid: row.6,
        key_digest: row.7,
        key_began_at: parse(&row.8)?,
    }))
}

/// Creates an identity, and a user unless another app of the company knows the person already.
fn create(sign_in: &RecordSignIn, at: &str, conn: &mut SqliteConnection) -> Result<Found, StoreError> {
    let unionid = sign_in.unionid.as_ref().map(|unionid| unionid.as_str());
    let linked: Option<String> = match unionid {
        Some(unionid) => FindUserByUnionId::new(unionid).get_result(conn).optional()?,
        None => None,
    };
    let user_id = linked.as_deref().unwrap_or(sign_in.new_user.as_str());
    if linked.is_none() {
        InsertUser::new(user_id, at, at).execute(conn)?;
    }
    InsertIdentity::new(
        sign_in.app.as_str(),
        sign_in.openid.as_str(),
        user_id,
        unionid,
        &sign_in.session_key,
        &sign_in.session_key_digest,
        &text(sign_in.exchange_began),
        at,
    )
    .execute(conn)?;
    let mut found =
        find(sign_in, conn)?.ok_or_else(|| StoreError::Refused("the new identity is missing".into()))?;
    found.created = linked.is_none();
    Ok(found)
}

fn idempotency_key(sign_in: &RecordSignIn) -> Option<&str> {
    sign_in.idempotency_key.as_ref().map(|key| key.digest())
}

fn keep_session_key(
    sign_in: &RecordSignIn,
    found: &Found,
    conn: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let (appid, openid) = (sign_in.app.as_str(), sign_in.openid.as_str());
    let changed = found.key_digest.as_deref() != Some(sign_in.session_key_digest.as_str());
    if changed && sign_in.exchange_began > found.key_began_at {
        ReplaceSessionKey::new(
            &text(sign_in.at.plus_seconds(PREVIOUS_KEY_SECONDS)),
            &sign_in.session_key,
            &sign_in.session_key_digest,
            &text(sign_in.exchange_began),
            appid,
            openid,
        )
        .execute(conn)?;
    }
    if let Some(unionid) = &sign_in.unionid
        && found.unionid.as_deref() != Some(unionid.as_str())
    {
        SetUnionId::new(unionid.as_str(), appid, openid).execute(conn)?;
    }
    Ok(())
}

fn open_session(
    sign_in: &RecordSignIn,
    user: &UserId,
    at: &str,
    conn: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let ip = sign_in.client.ip.map(|ip| ip.to_string());
    InsertLogin::new(
        sign_in.session.as_str(),
        user.as_str(),
        sign_in.app.as_str(),
        sign_in.openid.as_str(),
        &sign_in.code.to_string(),
        idempotency_key(sign_in),
        at,
        &text(sign_in.expires_at),
        &text(sign_in.ends_at),
        ip.as_deref(),
        sign_in.client.user_agent.as_deref(),
    )
    .execute(conn)?;
    Ok(())
}

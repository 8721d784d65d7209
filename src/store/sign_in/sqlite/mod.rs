//! Sign-in on SQLite. The write lock is held from the beginning, so what was read stays true.

mod statements;

use super::{PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord};
use crate::domain::{Time, User, UserId, UserStatus};
use crate::store::StoreError;
use crate::store::users::WholeUser;
use diesel::prelude::*;
use statements::{
    FindIdentity, FindUserByUnionId, InsertFreshLogin, InsertIdentity, InsertLogin, InsertUser,
    ReplaceSessionKey, SetUnionId, TakeCode,
};
pub(in crate::store) use statements::{LOGINS, WRITE_LOGIN};

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
    let found = match find(sign_in, conn)? {
        Some(found) => found,
        None => create(sign_in, conn)?,
    };
    let code_hash = sign_in.code.to_string();
    let (appid, code_hash) = (sign_in.app.as_str(), code_hash.as_str());
    let take = TakeCode { appid, code_hash, indexed_appid: appid, indexed_code_hash: code_hash };
    if take.execute(conn)? == 0 {
        return Ok(SignInRecord::Repeated);
    }
    keep_session_key(sign_in, &found, conn)?;
    if found.user.status == UserStatus::Banned {
        let insert = InsertFreshLogin {
            user_id: found.user.id.as_str(),
            session_id: sign_in.session.as_str(),
            appid,
            code_hash,
            idempotency_key: idempotency_key(sign_in),
            exchanged_at: sign_in.at,
        };
        insert.execute(conn)?;
        return Ok(SignInRecord::Banned);
    }
    let mut user = found.user;
    user.last_login_at = sign_in.at;
    user.unionid_linked |= sign_in.unionid.is_some();
    open_session(sign_in, &user.id, code_hash, conn)?;
    Ok(SignInRecord::Opened { user, created: found.created, ended: Vec::new() })
}

fn find(sign_in: &RecordSignIn, conn: &mut SqliteConnection) -> Result<Option<Found>, StoreError> {
    type Row = (WholeUser, Option<String>, Option<String>, Time);
    let find = FindIdentity { appid: sign_in.app.as_str(), openid: sign_in.openid.as_str() };
    let row: Option<Row> = find.get_result(conn).optional()?;
    Ok(row.map(|(user, unionid, key_digest, key_began_at)| {
        let user = user.into_user();
        Found { user, created: false, unionid, key_digest, key_began_at }
    }))
}

/// Creates an identity, and a user unless another app of the company knows the person already.
fn create(sign_in: &RecordSignIn, conn: &mut SqliteConnection) -> Result<Found, StoreError> {
    let unionid = sign_in.unionid.as_ref().map(|unionid| unionid.as_str());
    let linked: Option<String> = match unionid {
        Some(unionid) => FindUserByUnionId { unionid }.get_result(conn).optional()?,
        None => None,
    };
    let user_id = linked.as_deref().unwrap_or(sign_in.new_user.as_str());
    if linked.is_none() {
        InsertUser { id: user_id, created_at: sign_in.at, last_login_at: sign_in.at }.execute(conn)?;
    }
    let insert = InsertIdentity {
        appid: sign_in.app.as_str(),
        openid: sign_in.openid.as_str(),
        user_id,
        unionid,
        session_key: &sign_in.session_key,
        digest: &sign_in.session_key_digest,
        began_at: sign_in.exchange_began,
        created_at: sign_in.at,
    };
    insert.execute(conn)?;
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
        let replace = ReplaceSessionKey {
            until: sign_in.at.plus_seconds(PREVIOUS_KEY_SECONDS),
            session_key: &sign_in.session_key,
            digest: &sign_in.session_key_digest,
            began_at: sign_in.exchange_began,
            appid,
            openid,
        };
        replace.execute(conn)?;
    }
    if let Some(unionid) = &sign_in.unionid
        && found.unionid.as_deref() != Some(unionid.as_str())
    {
        SetUnionId { unionid: unionid.as_str(), appid, openid }.execute(conn)?;
    }
    Ok(())
}

fn open_session(
    sign_in: &RecordSignIn,
    user: &UserId,
    code_hash: &str,
    conn: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let ip = sign_in.client.ip.map(|ip| ip.to_string());
    let insert = InsertLogin {
        session_id: sign_in.session.as_str(),
        user_id: user.as_str(),
        appid: sign_in.app.as_str(),
        openid: sign_in.openid.as_str(),
        code_hash,
        idempotency_key: idempotency_key(sign_in),
        at: sign_in.at,
        expires_at: sign_in.expires_at,
        ends_at: sign_in.ends_at,
        ip: ip.as_deref(),
        user_agent: sign_in.client.user_agent.as_deref(),
    };
    insert.execute(conn)?;
    Ok(())
}

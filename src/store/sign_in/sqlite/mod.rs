//! Sign-in on SQLite. The write lock is held from the beginning, so what was read stays true.

mod statements;

use super::{Identity, IdentityRow, PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord};
use crate::domain::{UserId, UserStatus};
use crate::store::StoreError;
use diesel::prelude::*;
use statements::{
    FindIdentity, FindUserByUnionId, InsertFreshLogin, InsertIdentity, InsertLogin, InsertUser,
    ReplaceSessionKey, SetUnionId, TakeCode,
};
pub(in crate::store) use statements::{LOGINS, WRITE_LOGIN};

pub(super) fn record(
    sign_in: &RecordSignIn,
    conn: &mut SqliteConnection,
) -> Result<SignInRecord, StoreError> {
    let code_hash = sign_in.code.to_string();
    let (appid, code_hash) = (sign_in.app.as_str(), code_hash.as_str());
    let take = TakeCode { appid, code_hash };
    if take.execute(conn)? == 0 {
        return Ok(SignInRecord::Repeated);
    }
    let found = match find(sign_in, conn)? {
        Some(found) => found,
        None => create(sign_in, conn)?,
    };
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
        return Ok(SignInRecord::Banned(found.user.id));
    }
    open_session(sign_in, &found.user.id, code_hash, conn)?;
    Ok(sign_in.opened(found.user, found.created))
}

fn find(sign_in: &RecordSignIn, conn: &mut SqliteConnection) -> Result<Option<Identity>, StoreError> {
    let find = FindIdentity { appid: sign_in.app.as_str(), openid: sign_in.openid.as_str() };
    Ok(find.get_result::<IdentityRow>(conn).optional()?.map(Identity::from_row))
}

/// Creates an identity, and a user unless another app of the company knows the person already.
fn create(sign_in: &RecordSignIn, conn: &mut SqliteConnection) -> Result<Identity, StoreError> {
    let unionid = sign_in.unionid_text();
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
    found: &Identity,
    conn: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let (appid, openid) = (sign_in.app.as_str(), sign_in.openid.as_str());
    if found.gets_newer_key(sign_in) {
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
    if let Some(unionid) = found.other_unionid(sign_in) {
        SetUnionId { unionid, appid, openid }.execute(conn)?;
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

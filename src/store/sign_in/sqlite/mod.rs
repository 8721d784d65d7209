//! Sign-in on SQLite. The write lock is held from the start, so what is read here stays true.

mod statements;

use super::{PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord};
use crate::domain::{Time, User, UserId, UserStatus};
use crate::store::StoreError;
use crate::store::users::split_roles;
use chrono::{Datelike, NaiveDateTime, Timelike};
use diesel::prelude::*;
use statements::{
    FindIdentity, FindUserByUnionId, InsertAudit, InsertFreshLogin, InsertIdentity, InsertSession,
    InsertUser, ReplaceSessionKey, SetUnionId, TakeCode,
};

/// A user and what is stored of the session key they come with.
struct Found {
    user: User,
    created: bool,
    key_digest: Option<String>,
    key_began_at: Time,
    unionid: Option<String>,
}

/// A time in the form of diesel's in SQLite: so put together, it costs a tenth of what chrono's pattern does.
fn text(time: Time) -> String {
    let stored = time.to_stored();
    let numbers = [stored.year() as u32, stored.month(), stored.day()];
    let clock = [stored.hour(), stored.minute(), stored.second()];
    let mut text = String::with_capacity(26);
    for (number, (width, before)) in numbers.into_iter().chain(clock).zip(PLACES) {
        text.push_str(before);
        push_digits(&mut text, number, width);
    }
    // As short as it can be said: in no, three or six digits.
    match stored.nanosecond() / 1000 {
        0 => {}
        micros if micros % 1000 == 0 => {
            text.push('.');
            push_digits(&mut text, micros / 1000, 3);
        }
        micros => {
            text.push('.');
            push_digits(&mut text, micros, 6);
        }
    }
    text
}

/// How many digits each number of a time has, and what stands before it.
const PLACES: [(u32, &str); 6] = [(4, ""), (2, "-"), (2, "-"), (2, " "), (2, ":"), (2, ":")];

fn push_digits(text: &mut String, number: u32, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(b'0' + (number / 10_u32.pow(place) % 10) as u8));
    }
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
    if !take_code(sign_in, &found.user.id, &at, conn)? {
        return Ok(SignInRecord::Repeated);
    }
    keep_session_key(sign_in, &found, conn)?;
    if found.user.status == UserStatus::Banned {
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
        NaiveDateTime,
        Option<String>,
        Option<String>,
        NaiveDateTime,
        Option<String>,
        bool,
    );
    let row: Option<Row> =
        FindIdentity::new(sign_in.app.as_str(), sign_in.openid.as_str()).get_result(conn).optional()?;
    Ok(row.map(|row| Found {
        user: User {
            id: UserId::from_stored(row.0),
            status: UserStatus::from_stored(&row.1),
            roles: split_roles(row.9),
            nickname: row.2,
            avatar_url: row.3,
            phone: row.4,
            unionid_linked: row.10,
            created_at: Time::from_stored(row.5),
            last_login_at: sign_in.at,
        },
        created: false,
        unionid: row.6,
        key_digest: row.7,
        key_began_at: Time::from_stored(row.8),
    }))
}

/// A first sign-in: a new identity, of a new user unless a sister app knows the person already.
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

/// Writes the exchange record; false where the code was recorded before.
fn take_code(
    sign_in: &RecordSignIn,
    user: &UserId,
    at: &str,
    conn: &mut SqliteConnection,
) -> Result<bool, StoreError> {
    let (appid, code) = (sign_in.app.as_str(), sign_in.code.as_str());
    if TakeCode::new(appid, code, appid, code).execute(conn)? == 0 {
        return Ok(false);
    }
    let idempotency_key = sign_in.idempotency_key.as_ref().map(|key| key.digest());
    InsertFreshLogin::new(user.as_str(), sign_in.session.as_str(), appid, code, idempotency_key, at)
        .execute(conn)?;
    Ok(true)
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
    InsertSession::new(
        sign_in.session.as_str(),
        user.as_str(),
        sign_in.app.as_str(),
        sign_in.openid.as_str(),
        at,
        at,
        at,
        &text(sign_in.expires_at),
        &text(sign_in.ends_at),
        ip.as_deref(),
        sign_in.client.user_agent.as_deref(),
    )
    .execute(conn)?;
    let audit_id = uuid::Uuid::now_v7().simple().to_string();
    InsertAudit::new(
        &audit_id,
        at,
        user.as_str(),
        "login.success",
        Some(user.as_str()),
        ip.as_deref(),
        Some(sign_in.app.as_str()),
    )
    .execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_diesel_writes_it() {
        for micros in
            [0, 1, 10, 1000, 123_000, 123_456, 999_999, 1_795_402_096_975_123, 1_800_000_000_000_000]
        {
            let time = Time::from_unix_micros(micros).unwrap();
            assert_eq!(text(time), time.to_stored().format("%F %T%.f").to_string());
        }
    }
}

//! The statements of a sign-in on SQLite.

use crate::domain::Time;
use crate::store::prepared::prepared;
use crate::store::sign_in::IdentitySql;
use crate::store::users::user_columns;
use diesel::sql_types::{Binary, Nullable, Text, Timestamp};
use diesel::sqlite::Sqlite;

prepared! {
    /// Records the code, unless it is in `fresh_codes` already: of the callers who shared an exchange, each records it.
    TakeCode<'a> on Sqlite { appid: Text = &'a str, code_hash: Text = &'a str } -> (),
    "INSERT OR IGNORE INTO temp.fresh_codes (appid, code_hash) VALUES (?, ?)"
}

prepared! {
    /// Records a login that opens no session, as its code is used up.
    InsertFreshLogin<'a> on Sqlite {
        user_id: Text = &'a str, session_id: Text = &'a str, appid: Text = &'a str, code_hash: Text = &'a str,
        idempotency_key: Nullable<Text> = Option<&'a str>, exchanged_at: Timestamp = Time,
    } -> (),
    "INSERT INTO recent_logins (user_id, session_id, appid, code_hash, idempotency_key, exchanged_at)
     VALUES (?, ?, ?, ?, ?, ?)"
}

prepared! {
    /// The user behind an identity, and what is stored of its session key.
    FindIdentity<'a> on Sqlite { appid: Text = &'a str, openid: Text = &'a str } -> IdentitySql,
    concat!(
        "SELECT ", user_columns!(), ",
             (SELECT group_concat(role, ' ') FROM user_roles WHERE user_id = u.id),
             i.unionid IS NOT NULL
                 OR EXISTS (SELECT 1 FROM identities WHERE user_id = u.id AND unionid IS NOT NULL),
             i.unionid, i.session_key_digest, i.session_key_began_at
         FROM identities i JOIN users u ON u.id = i.user_id WHERE i.appid = ? AND i.openid = ?"
    )
}

prepared! {
    /// The user whom another app of the company knows by this unionid; the oldest, if there are several.
    FindUserByUnionId<'a> on Sqlite { unionid: Text = &'a str } -> Text,
    "SELECT u.id FROM identities i JOIN users u ON u.id = i.user_id WHERE i.unionid = ?
     ORDER BY u.created_at, u.id LIMIT 1"
}

prepared! {
    /// Creates a user who signs in for the first time.
    InsertUser<'a> on Sqlite { id: Text = &'a str, created_at: Timestamp = Time, last_login_at: Timestamp = Time } -> (),
    "INSERT INTO users (id, status, created_at, last_login_at) VALUES (?, 'active', ?, ?)"
}

prepared! {
    /// Creates an identity.
    InsertIdentity<'a> on Sqlite {
        appid: Text = &'a str, openid: Text = &'a str, user_id: Text = &'a str,
        unionid: Nullable<Text> = Option<&'a str>, session_key: Binary = &'a [u8], digest: Text = &'a str,
        began_at: Timestamp = Time, created_at: Timestamp = Time,
    } -> (),
    "INSERT INTO identities
         (appid, openid, user_id, unionid, session_key, session_key_digest, session_key_began_at, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
}

prepared! {
    /// Replaces a changed session key; the old one is kept for a while.
    ReplaceSessionKey<'a> on Sqlite {
        until: Timestamp = Time, session_key: Binary = &'a [u8], digest: Text = &'a str,
        began_at: Timestamp = Time, appid: Text = &'a str, openid: Text = &'a str,
    } -> (),
    "UPDATE identities SET previous_session_key = session_key, previous_session_key_until = ?,
         session_key = ?, session_key_digest = ?, session_key_began_at = ?
     WHERE appid = ? AND openid = ?"
}

prepared! {
    /// Sets a unionid that appears or changes after the first sign-in.
    SetUnionId<'a> on Sqlite { unionid: Text = &'a str, appid: Text = &'a str, openid: Text = &'a str } -> (),
    "UPDATE identities SET unionid = ? WHERE appid = ? AND openid = ?"
}

/// A view on the writing connection; inserting into it writes a login, by [`WRITE_LOGIN`].
pub(in crate::store) const LOGINS: &str = "CREATE TEMP VIEW logins
        (session_id, user_id, appid, openid, code_hash, idempotency_key, at, expires_at, ends_at, ip, user_agent)
    AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;";

/// Writes the rows of a login: the entry in `recent_logins`, the session, and the audit entry, which has the session's
/// id. One statement for all three, because binding and stepping each costs as much again as its write. (Used with
/// `OR FAIL`: a failure rolls back the whole transaction, so SQLite need not be able to undo the statement.)
pub(in crate::store) const WRITE_LOGIN: &str =
    "CREATE TEMP TRIGGER write_login INSTEAD OF INSERT ON logins BEGIN
        INSERT INTO recent_logins (user_id, session_id, appid, code_hash, idempotency_key, exchanged_at)
        VALUES (NEW.user_id, NEW.session_id, NEW.appid, NEW.code_hash, NEW.idempotency_key, NEW.at);
        INSERT INTO sessions (id, user_id, appid, openid, generation, rotated_at, created_at, last_used_at,
                              expires_at, ends_at, ip, user_agent)
        VALUES (NEW.session_id, NEW.user_id, NEW.appid, NEW.openid, 1, NEW.at, NEW.at, NEW.at,
                NEW.expires_at, NEW.ends_at, NEW.ip, NEW.user_agent);
        INSERT INTO audit (id, at, actor, action, target, ip, detail)
        VALUES (NEW.session_id, NEW.at, NEW.user_id, 'login.success', NEW.user_id, NEW.ip, NEW.appid);
    END;";

prepared! {
    /// Opens a session and records the login.
    InsertLogin<'a> on Sqlite {
        session_id: Text = &'a str, user_id: Text = &'a str, appid: Text = &'a str, openid: Text = &'a str,
        code_hash: Text = &'a str, idempotency_key: Nullable<Text> = Option<&'a str>, at: Timestamp = Time,
        expires_at: Timestamp = Time, ends_at: Timestamp = Time, ip: Nullable<Text> = Option<&'a str>,
        user_agent: Nullable<Text> = Option<&'a str>,
    } -> (),
    "INSERT OR FAIL INTO logins (session_id, user_id, appid, openid, code_hash, idempotency_key, at, expires_at, ends_at,
                         ip, user_agent)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

//! The statements of a sign-in on Postgres. Each takes the whole group, one array per column.

use crate::domain::Time;
use crate::store::prepared::prepared;
use crate::store::sign_in::IdentitySql;
use crate::store::users::user_columns;
use diesel::pg::Pg;
use diesel::sql_types::{Array, Binary, Nullable, Text, Timestamp};

type Texts<'a> = Vec<&'a str>;
type OptionalTexts<'a> = Vec<Option<&'a str>>;
type Times = Vec<Time>;

prepared! {
    /// The users behind identities, and what is stored of their session keys. Locks the users, so that nobody is
    /// banned or deleted before the sign-in is written: either the ban finds the session, or the sign-in finds the
    /// ban. Nothing else ensures that: no foreign key leads from a session to its user.
    FindIdentities<'a> on Pg { appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a> } ->
    (Text, Text, IdentitySql),
    concat!(
        "SELECT i.appid, i.openid, ", user_columns!(), ",
             (SELECT string_agg(role, ' ') FROM user_roles r WHERE r.user_id = u.id),
             i.unionid IS NOT NULL OR COALESCE(
                 (SELECT true FROM identities o WHERE o.user_id = u.id AND o.unionid IS NOT NULL LIMIT 1), false),
             i.unionid, i.session_key_digest, i.session_key_began_at
         FROM unnest(?, ?) AS wanted (appid, openid) JOIN identities i USING (appid, openid)
         JOIN users u ON u.id = i.user_id FOR KEY SHARE OF u"
    )
}

prepared! {
    /// Takes a lock per unionid until the transaction ends, which serializes a person's first sign-ins to two apps.
    LockUnionIds<'a> on Pg { unionids: Array<Text> = Texts<'a> } -> (),
    "SELECT pg_advisory_xact_lock(key)
     FROM (SELECT DISTINCT hashtextextended(unionid, 0) AS key FROM unnest(?) AS t (unionid) ORDER BY 1) AS k"
}

prepared! {
    /// The users whom other apps of the company know by these unionids; the oldest of each.
    FindUsersByUnionId<'a> on Pg { unionids: Array<Text> = Texts<'a> } -> (Text, Text),
    "SELECT DISTINCT ON (i.unionid) i.unionid, u.id FROM identities i JOIN users u ON u.id = i.user_id
     WHERE i.unionid = ANY (?) ORDER BY i.unionid, u.created_at, u.id"
}

prepared! {
    /// Creates users who sign in for the first time.
    InsertUsers<'a> on Pg { ids: Array<Text> = Texts<'a>, times: Array<Timestamp> = Times } -> (),
    "INSERT INTO users (id, status, created_at, last_login_at)
     SELECT id, 'active', at, at FROM unnest(?, ?) AS t (id, at)"
}

prepared! {
    /// Creates identities; returns those that no other node created first.
    InsertIdentities<'a> on Pg {
        appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a>, user_ids: Array<Text> = Texts<'a>,
        unionids: Array<Nullable<Text>> = OptionalTexts<'a>, session_keys: Array<Binary> = Vec<&'a [u8]>,
        digests: Array<Text> = Texts<'a>, began: Array<Timestamp> = Times, created: Array<Timestamp> = Times,
    } -> (Text, Text),
    "INSERT INTO identities
         (appid, openid, user_id, unionid, session_key, session_key_digest, session_key_began_at, created_at)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) AS t (appid, openid) ORDER BY t.appid, t.openid
     ON CONFLICT DO NOTHING RETURNING appid, openid"
}

prepared! {
    /// Deletes new users that turned out not to be needed.
    DeleteUsers<'a> on Pg { ids: Array<Text> = Texts<'a> } -> (), "DELETE FROM users WHERE id = ANY (?)"
}

prepared! {
    /// Replaces changed session keys, unless a newer exchange was faster; the replaced ones are kept for a while.
    ReplaceSessionKeys<'a> on Pg {
        appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a>, session_keys: Array<Binary> = Vec<&'a [u8]>,
        digests: Array<Text> = Texts<'a>, began: Array<Timestamp> = Times, until: Array<Timestamp> = Times,
    } -> (),
    "UPDATE identities i SET previous_session_key = i.session_key, previous_session_key_until = t.until,
         session_key = t.session_key, session_key_digest = t.digest, session_key_began_at = t.began
     FROM unnest(?, ?, ?, ?, ?, ?) AS t (appid, openid, session_key, digest, began, until)
     WHERE i.appid = t.appid AND i.openid = t.openid AND i.session_key_began_at < t.began"
}

prepared! {
    /// Sets unionids that appear or change after the first sign-in.
    SetUnionIds<'a> on Pg {
        appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a>, unionids: Array<Text> = Texts<'a>,
    } -> (),
    "UPDATE identities i SET unionid = t.unionid FROM unnest(?, ?, ?) AS t (appid, openid, unionid)
     WHERE i.appid = t.appid AND i.openid = t.openid"
}

prepared! {
    /// Records the codes; returns those that were not recorded before.
    InsertExchanges<'a> on Pg {
        appids: Array<Text> = Texts<'a>, codes: Array<Text> = Texts<'a>, user_ids: Array<Text> = Texts<'a>,
        session_ids: Array<Text> = Texts<'a>, keys: Array<Nullable<Text>> = OptionalTexts<'a>,
        times: Array<Timestamp> = Times,
    } -> (Text, Text),
    "INSERT INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?) AS t (appid, code_hash) ORDER BY t.appid, t.code_hash
     ON CONFLICT DO NOTHING RETURNING appid, code_hash"
}

prepared! {
    /// Opens sessions and writes the logins to the audit log, each with the id of its session.
    OpenSessions<'a> on Pg {
        ids: Array<Text> = Texts<'a>, user_ids: Array<Text> = Texts<'a>, appids: Array<Text> = Texts<'a>,
        openids: Array<Text> = Texts<'a>, times: Array<Timestamp> = Times, expires: Array<Timestamp> = Times,
        ends: Array<Timestamp> = Times, ips: Array<Nullable<Text>> = Vec<Option<String>>,
        user_agents: Array<Nullable<Text>> = OptionalTexts<'a>,
    } -> (),
    "WITH opened AS (
         SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?)
             AS t (id, user_id, appid, openid, at, expires_at, ends_at, ip, user_agent)
     ), audited AS (
         INSERT INTO audit (id, at, actor, action, target, ip, detail)
         SELECT id, at, user_id, 'login.success', user_id, ip, appid FROM opened
     )
     INSERT INTO sessions (id, user_id, appid, openid, generation, rotated_at, created_at, last_used_at,
                           expires_at, ends_at, ip, user_agent)
     SELECT id, user_id, appid, openid, 1, at, at, at, expires_at, ends_at, ip, user_agent FROM opened"
}

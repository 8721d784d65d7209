//! Sign-in on Postgres: a few statements for the whole group, over arrays that travel as one parameter each.
//! Rows are taken in the order of their keys, so that two nodes never wait for each other in a circle.

use super::{PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord, split_roles};
use crate::domain::{Time, User, UserId, UserStatus};
use crate::store::StoreError;
use crate::store::prepared::prepared;
use chrono::NaiveDateTime;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Nullable, Text, Timestamp};
use std::collections::{HashMap, HashSet};

type Texts<'a> = Vec<&'a str>;
type OptionalTexts<'a> = Vec<Option<&'a str>>;
type Times = Vec<NaiveDateTime>;

prepared! {
    /// The users behind identities, and what is known of their session keys.
    FindIdentities on Pg { appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a> } ->
    (Text, Text, Text, Nullable<Text>, Nullable<Text>, Timestamp),
    "SELECT i.appid, i.openid, i.user_id, i.unionid, i.session_key_digest, i.session_key_began_at
     FROM unnest(?, ?) AS wanted (appid, openid) JOIN identities i USING (appid, openid)"
}

prepared! {
    /// Takes a lock a unionid until the transaction ends: two apps' first sign-ins of one person take turns.
    LockUnionIds on Pg { unionids: Array<Text> = Texts<'a> } -> (),
    "SELECT pg_advisory_xact_lock(key)
     FROM (SELECT DISTINCT hashtextextended(unionid, 0) AS key FROM unnest(?) AS t (unionid) ORDER BY 1) AS k"
}

prepared! {
    /// The users whom other apps of the same company know by these unionids; the oldest of each.
    FindUsersByUnionId on Pg { unionids: Array<Text> = Texts<'a> } -> (Text, Text),
    "SELECT DISTINCT ON (i.unionid) i.unionid, u.id FROM identities i JOIN users u ON u.id = i.user_id
     WHERE i.unionid = ANY (?) ORDER BY i.unionid, u.created_at, u.id"
}

prepared! {
    /// Users who sign in for the first time.
    InsertUsers on Pg { ids: Array<Text> = Texts<'a>, times: Array<Timestamp> = Times } -> (),
    "INSERT INTO users (id, status, created_at, last_login_at)
     SELECT id, 'active', at, at FROM unnest(?, ?) AS t (id, at)"
}

prepared! {
    /// People's first sign-ins to one mini-program; gives back those that no other node wrote first.
    InsertIdentities on Pg {
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
    /// Candidates whom nobody needed after all.
    DeleteUsers on Pg { ids: Array<Text> = Texts<'a> } -> (), "DELETE FROM users WHERE id = ANY (?)"
}

prepared! {
    /// Changed session keys, unless a newer exchange was faster; the replaced ones are kept for a while.
    ReplaceSessionKeys on Pg {
        appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a>, session_keys: Array<Binary> = Vec<&'a [u8]>,
        digests: Array<Text> = Texts<'a>, began: Array<Timestamp> = Times, until: Array<Timestamp> = Times,
    } -> (),
    "UPDATE identities i SET previous_session_key = i.session_key, previous_session_key_until = t.until,
         session_key = t.session_key, session_key_digest = t.digest, session_key_began_at = t.began
     FROM unnest(?, ?, ?, ?, ?, ?) AS t (appid, openid, session_key, digest, began, until)
     WHERE i.appid = t.appid AND i.openid = t.openid AND i.session_key_began_at < t.began"
}

prepared! {
    /// Unionids that show up, or change, after the first sign-in.
    SetUnionIds on Pg {
        appids: Array<Text> = Texts<'a>, openids: Array<Text> = Texts<'a>, unionids: Array<Text> = Texts<'a>,
    } -> (),
    "UPDATE identities i SET unionid = t.unionid FROM unnest(?, ?, ?) AS t (appid, openid, unionid)
     WHERE i.appid = t.appid AND i.openid = t.openid"
}

prepared! {
    /// Takes the codes; gives back those that were not taken before.
    InsertExchanges on Pg {
        appids: Array<Text> = Texts<'a>, codes: Array<Text> = Texts<'a>, user_ids: Array<Text> = Texts<'a>,
        session_ids: Array<Text> = Texts<'a>, keys: Array<Nullable<Text>> = OptionalTexts<'a>,
        times: Array<Timestamp> = Times,
    } -> (Text, Text),
    "INSERT INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?) AS t (appid, code_hash) ORDER BY t.appid, t.code_hash
     ON CONFLICT DO NOTHING RETURNING appid, code_hash"
}

prepared! {
    /// Counts the logins and reads the users. Rows are locked in the order of their ids.
    TouchUsers on Pg { ids: Array<Text> = Texts<'a>, times: Array<Timestamp> = Times } ->
    (Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Text>, Timestamp, Nullable<Text>, Bool),
    "WITH locked AS (
         SELECT users.id, t.at FROM unnest(?, ?) AS t (id, at) JOIN users ON users.id = t.id
         ORDER BY users.id FOR NO KEY UPDATE OF users
     )
     UPDATE users u SET last_login_at = CASE WHEN u.status = 'active' THEN locked.at ELSE u.last_login_at END
     FROM locked WHERE u.id = locked.id
     RETURNING u.id, u.status, u.nickname, u.avatar_url, u.phone, u.created_at,
         (SELECT string_agg(role, ' ') FROM user_roles r WHERE r.user_id = u.id),
         EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.unionid IS NOT NULL)"
}

prepared! {
    /// Opens sessions and puts the logins into the audit log.
    OpenSessions on Pg {
        ids: Array<Text> = Texts<'a>, user_ids: Array<Text> = Texts<'a>, appids: Array<Text> = Texts<'a>,
        openids: Array<Text> = Texts<'a>, times: Array<Timestamp> = Times, expires: Array<Timestamp> = Times,
        ends: Array<Timestamp> = Times, ips: Array<Nullable<Text>> = Vec<Option<String>>,
        user_agents: Array<Nullable<Text>> = OptionalTexts<'a>, audit_ids: Array<Text> = Vec<String>,
    } -> (),
    "WITH opened AS (
         SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             AS t (id, user_id, appid, openid, at, expires_at, ends_at, ip, user_agent, audit_id)
     ), audited AS (
         INSERT INTO audit (id, at, actor, action, target, ip, detail)
         SELECT audit_id, at, user_id, 'login.success', user_id, ip, appid FROM opened
     )
     INSERT INTO sessions (id, user_id, appid, openid, generation, rotated_at, created_at, last_used_at,
                           expires_at, ends_at, ip, user_agent)
     SELECT id, user_id, appid, openid, 1, at, at, at, expires_at, ends_at, ip, user_agent FROM opened"
}

/// `(appid, openid)` or `(appid, code hash)`.
type Key<'a> = (&'a str, &'a str);

/// An identity as it was found, or made.
struct Identity {
    user_id: String,
    unionid: Option<String>,
    key_digest: Option<String>,
    key_began_at: Time,
    created: bool,
}

fn identity_key<'a>(sign_in: &'a RecordSignIn) -> Key<'a> {
    (sign_in.app.as_str(), sign_in.openid.as_str())
}

pub(super) fn record(
    batch: &[&RecordSignIn],
    conn: &mut PgConnection,
) -> Result<Vec<SignInRecord>, StoreError> {
    let mut identities = HashMap::new();
    find_identities(batch, &mut identities, conn)?;
    create_identities(batch, &mut identities, conn)?;
    let identity_of = |sign_in: &RecordSignIn| {
        let (appid, openid) = identity_key(sign_in);
        identities.get(&(appid.to_owned(), openid.to_owned()))
    };
    let pairs: Vec<(&RecordSignIn, &Identity)> = batch
        .iter()
        .map(|sign_in| identity_of(sign_in).map(|identity| (*sign_in, identity)))
        .collect::<Option<_>>()
        .ok_or_else(|| StoreError::Refused("an identity vanished while it was signed in".into()))?;
    let fresh = take_codes(&pairs, conn)?;
    let fresh_pairs: Vec<_> = fresh.iter().map(|index| pairs[*index]).collect();
    keep_session_keys(&fresh_pairs, conn)?;
    let users = touch_users(&fresh_pairs, conn)?;
    let active: Vec<_> = fresh_pairs
        .iter()
        .filter(|(_, identity)| {
            users.get(&identity.user_id).is_some_and(|user| user.status == UserStatus::Active)
        })
        .copied()
        .collect();
    open_sessions(&active, conn)?;
    Ok(outcomes(&pairs, &fresh, &users))
}

type Identities = HashMap<(String, String), Identity>;

fn find_identities(
    batch: &[&RecordSignIn],
    found: &mut Identities,
    conn: &mut PgConnection,
) -> Result<(), StoreError> {
    let keys: HashSet<Key<'_>> = batch.iter().map(|sign_in| identity_key(sign_in)).collect();
    type Row = (String, String, String, Option<String>, Option<String>, NaiveDateTime);
    let (appids, openids) = keys.into_iter().unzip();
    let rows: Vec<Row> = FindIdentities::new(appids, openids).load(conn)?;
    for (appid, openid, user_id, unionid, key_digest, began_at) in rows {
        let key_began_at = Time::from_stored(began_at);
        let identity = Identity { user_id, unionid, key_digest, key_began_at, created: false };
        found.insert((appid, openid), identity);
    }
    Ok(())
}

/// First sign-ins. Another node may be doing the same for the same people: what it wrote first stands.
fn create_identities(
    batch: &[&RecordSignIn],
    identities: &mut Identities,
    conn: &mut PgConnection,
) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let missing: Vec<&RecordSignIn> = batch
        .iter()
        .filter(|s| !identities.contains_key(&(s.app.as_str().to_owned(), s.openid.as_str().to_owned())))
        .filter(|s| seen.insert(identity_key(s)))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut owners = users_by_unionid(&missing, conn)?;
    let mut new_users: Vec<&RecordSignIn> = Vec::new();
    let user_ids: Vec<String> = missing
        .iter()
        .map(|sign_in| {
            let known = sign_in.unionid.as_ref().and_then(|unionid| owners.get(unionid.as_str()).cloned());
            known.unwrap_or_else(|| {
                new_users.push(sign_in);
                let id = sign_in.new_user.as_str().to_owned();
                if let Some(unionid) = &sign_in.unionid {
                    owners.insert(unionid.as_str().to_owned(), id.clone());
                }
                id
            })
        })
        .collect();
    let times = new_users.iter().map(|s| s.at.to_stored()).collect();
    InsertUsers::new(new_users.iter().map(|s| s.new_user.as_str()).collect(), times).execute(conn)?;
    let written = insert_identities(&missing, &user_ids, conn)?;
    let lost: Vec<&RecordSignIn> =
        missing.iter().filter(|s| !written.contains(&owned(identity_key(s)))).copied().collect();
    if !lost.is_empty() {
        DeleteUsers::new(lost.iter().map(|s| s.new_user.as_str()).collect()).execute(conn)?;
    }
    find_identities(&missing, identities, conn)?;
    for sign_in in &new_users {
        if let Some(identity) = identities.get_mut(&owned(identity_key(sign_in))) {
            identity.created = identity.user_id == sign_in.new_user.as_str();
        }
    }
    Ok(())
}

fn owned((a, b): Key<'_>) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

fn users_by_unionid(
    missing: &[&RecordSignIn],
    conn: &mut PgConnection,
) -> Result<HashMap<String, String>, StoreError> {
    let unionids: Vec<&str> = missing.iter().filter_map(|s| s.unionid.as_ref()).map(|u| u.as_str()).collect();
    if unionids.is_empty() {
        return Ok(HashMap::new());
    }
    LockUnionIds::new(unionids.clone()).execute(conn)?;
    let rows: Vec<(String, String)> = FindUsersByUnionId::new(unionids).load(conn)?;
    Ok(rows.into_iter().collect())
}

fn insert_identities(
    missing: &[&RecordSignIn],
    user_ids: &[String],
    conn: &mut PgConnection,
) -> Result<HashSet<(String, String)>, StoreError> {
    let rows: Vec<(String, String)> = InsertIdentities::new(
        missing.iter().map(|s| s.app.as_str()).collect(),
        missing.iter().map(|s| s.openid.as_str()).collect(),
        user_ids.iter().map(String::as_str).collect(),
        missing.iter().map(|s| s.unionid.as_ref().map(|u| u.as_str())).collect(),
        missing.iter().map(|s| s.session_key.as_slice()).collect(),
        missing.iter().map(|s| s.session_key_digest.as_str()).collect(),
        missing.iter().map(|s| s.exchange_began.to_stored()).collect(),
        missing.iter().map(|s| s.at.to_stored()).collect(),
    )
    .load(conn)?;
    Ok(rows.into_iter().collect())
}

type Pair<'a> = (&'a RecordSignIn, &'a Identity);

/// Writes the exchange records; gives back the positions of the codes that were not recorded before.
fn take_codes(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<Vec<usize>, StoreError> {
    let mut seen = HashSet::new();
    let first: Vec<usize> = (0..pairs.len())
        .filter(|index| seen.insert((pairs[*index].0.app.as_str(), pairs[*index].0.code.as_str())))
        .collect();
    let of = |index: &usize| pairs[*index].0;
    let taken: Vec<(String, String)> = InsertExchanges::new(
        first.iter().map(|i| of(i).app.as_str()).collect(),
        first.iter().map(|i| of(i).code.as_str()).collect(),
        first.iter().map(|i| pairs[*i].1.user_id.as_str()).collect(),
        first.iter().map(|i| of(i).session.as_str()).collect(),
        first.iter().map(|i| of(i).idempotency_key.as_ref().map(|key| key.digest())).collect(),
        first.iter().map(|i| of(i).at.to_stored()).collect(),
    )
    .load(conn)?;
    let taken: HashSet<Key<'_>> = taken.iter().map(|(appid, code)| (appid.as_str(), code.as_str())).collect();
    Ok(first.into_iter().filter(|i| taken.contains(&(of(i).app.as_str(), of(i).code.as_str()))).collect())
}

fn keep_session_keys(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    // Of several sign-ins of one person in a group, the exchange that began last has the key that counts.
    let mut latest: HashMap<Key<'_>, &RecordSignIn> = HashMap::new();
    for (sign_in, identity) in pairs {
        let changed = identity.key_digest.as_deref() != Some(sign_in.session_key_digest.as_str());
        if changed && sign_in.exchange_began > identity.key_began_at {
            let slot = latest.entry(identity_key(sign_in)).or_insert(sign_in);
            if sign_in.exchange_began > slot.exchange_began {
                *slot = sign_in;
            }
        }
    }
    if !latest.is_empty() {
        let changed: Vec<&RecordSignIn> = latest.into_values().collect();
        ReplaceSessionKeys::new(
            changed.iter().map(|s| s.app.as_str()).collect(),
            changed.iter().map(|s| s.openid.as_str()).collect(),
            changed.iter().map(|s| s.session_key.as_slice()).collect(),
            changed.iter().map(|s| s.session_key_digest.as_str()).collect(),
            changed.iter().map(|s| s.exchange_began.to_stored()).collect(),
            changed.iter().map(|s| s.at.plus_seconds(PREVIOUS_KEY_SECONDS).to_stored()).collect(),
        )
        .execute(conn)?;
    }
    set_unionids(pairs, conn)
}

fn set_unionids(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    let appeared: HashMap<Key<'_>, &str> = pairs
        .iter()
        .filter_map(|(sign_in, identity)| {
            let unionid = sign_in.unionid.as_ref()?.as_str();
            (identity.unionid.as_deref() != Some(unionid)).then_some((identity_key(sign_in), unionid))
        })
        .collect();
    if appeared.is_empty() {
        return Ok(());
    }
    let (keys, unionids): (Vec<Key<'_>>, Vec<&str>) = appeared.into_iter().unzip();
    let (appids, openids) = keys.into_iter().unzip();
    SetUnionIds::new(appids, openids, unionids).execute(conn)?;
    Ok(())
}

fn touch_users(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<HashMap<String, User>, StoreError> {
    let mut latest: HashMap<&str, Time> = HashMap::new();
    for (sign_in, identity) in pairs {
        let at = latest.entry(identity.user_id.as_str()).or_insert(sign_in.at);
        *at = sign_in.at.max(*at);
    }
    if latest.is_empty() {
        return Ok(HashMap::new());
    }
    type Row =
        (String, String, Option<String>, Option<String>, Option<String>, NaiveDateTime, Option<String>, bool);
    let times = latest.values().map(|at| at.to_stored()).collect();
    let rows: Vec<Row> = TouchUsers::new(latest.keys().copied().collect(), times).load(conn)?;
    let users = rows.into_iter().map(|row| {
        let last_login_at = latest.get(row.0.as_str()).copied().unwrap_or(Time::from_stored(row.5));
        let user = User {
            id: UserId::from_stored(row.0.clone()),
            status: UserStatus::from_stored(&row.1),
            roles: split_roles(row.6),
            nickname: row.2,
            avatar_url: row.3,
            phone: row.4,
            unionid_linked: row.7,
            created_at: Time::from_stored(row.5),
            last_login_at,
        };
        (row.0, user)
    });
    Ok(users.collect())
}

fn open_sessions(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    if pairs.is_empty() {
        return Ok(());
    }
    let audit_id = |_: &Pair<'_>| uuid::Uuid::now_v7().simple().to_string();
    OpenSessions::new(
        pairs.iter().map(|(s, _)| s.session.as_str()).collect(),
        pairs.iter().map(|(_, identity)| identity.user_id.as_str()).collect(),
        pairs.iter().map(|(s, _)| s.app.as_str()).collect(),
        pairs.iter().map(|(s, _)| s.openid.as_str()).collect(),
        pairs.iter().map(|(s, _)| s.at.to_stored()).collect(),
        pairs.iter().map(|(s, _)| s.expires_at.to_stored()).collect(),
        pairs.iter().map(|(s, _)| s.ends_at.to_stored()).collect(),
        pairs.iter().map(|(s, _)| s.client.ip.map(|ip| ip.to_string())).collect(),
        pairs.iter().map(|(s, _)| s.client.user_agent.as_deref()).collect(),
        pairs.iter().map(audit_id).collect(),
    )
    .execute(conn)?;
    Ok(())
}

/// What became of each sign-in, in the order in which they came.
fn outcomes(pairs: &[Pair<'_>], fresh: &[usize], users: &HashMap<String, User>) -> Vec<SignInRecord> {
    let fresh: HashSet<usize> = fresh.iter().copied().collect();
    let mut announced: HashSet<String> = HashSet::new();
    let outcome = |(index, (_, identity)): (usize, &Pair<'_>)| match users.get(&identity.user_id) {
        Some(user) if fresh.contains(&index) && user.status == UserStatus::Active => {
            let created = identity.created && announced.insert(identity.user_id.clone());
            SignInRecord::Opened { user: user.clone(), created }
        }
        Some(_) if fresh.contains(&index) => SignInRecord::Banned,
        _ => SignInRecord::Repeated,
    };
    pairs.iter().enumerate().map(outcome).collect()
}

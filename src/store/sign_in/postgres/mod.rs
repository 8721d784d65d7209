//! Sign-in on Postgres: a few statements for the whole group, with one array parameter per column. Each locks its
//! rows in key order: in that of the arrays, by which a writer's connection has them looked up. So two nodes hardly
//! ever deadlock (only if session keys and unionids of several people change at once); those that do are tried again.

mod first;
mod statements;

use super::{Identity, IdentityRow, PREVIOUS_KEY_SECONDS, RecordSignIn, SignInRecord};
use crate::domain::{UserId, UserStatus};
use crate::store::StoreError;
use diesel::prelude::*;
use first::create_identities;
use statements::{FindIdentities, InsertExchanges, OpenSessions, ReplaceSessionKeys, SetUnionIds};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// `(appid, openid)` or `(appid, code hash)`.
type Key<'a> = (&'a str, &'a str);

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
        .ok_or_else(|| StoreError::Conflict("an identity vanished while it was signed in".into()))?;
    let fresh = take_codes(&pairs, conn)?;
    let fresh_pairs: Vec<_> = fresh.iter().map(|index| pairs[*index]).collect();
    keep_session_keys(&fresh_pairs, conn)?;
    let active = |pair: &&Pair<'_>| pair.1.user.status == UserStatus::Active;
    open_sessions(&fresh_pairs.iter().filter(active).copied().collect::<Vec<_>>(), conn)?;
    Ok(outcomes(&pairs, &fresh))
}

type Identities = HashMap<(String, String), Identity>;

fn find_identities(
    batch: &[&RecordSignIn],
    found: &mut Identities,
    conn: &mut PgConnection,
) -> Result<(), StoreError> {
    let keys: BTreeSet<Key<'_>> = batch.iter().map(|sign_in| identity_key(sign_in)).collect();
    let (appids, openids) = keys.into_iter().unzip();
    let rows: Vec<(String, String, IdentityRow)> = FindIdentities { appids, openids }.load(conn)?;
    found.extend(rows.into_iter().map(|(appid, openid, row)| ((appid, openid), Identity::from_row(row))));
    Ok(())
}

fn owned((a, b): Key<'_>) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

type Pair<'a> = (&'a RecordSignIn, &'a Identity);

/// Writes the exchange records; returns the indices of the codes that were new.
fn take_codes(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<Vec<usize>, StoreError> {
    let mut seen = HashSet::new();
    let first: Vec<usize> = (0..pairs.len())
        .filter(|index| seen.insert((pairs[*index].0.app.as_str(), pairs[*index].0.code)))
        .collect();
    let of = |index: &usize| pairs[*index].0;
    let codes: Vec<String> = first.iter().map(|i| of(i).code.to_string()).collect();
    let insert = InsertExchanges {
        appids: first.iter().map(|i| of(i).app.as_str()).collect(),
        codes: codes.iter().map(String::as_str).collect(),
        user_ids: first.iter().map(|i| pairs[*i].1.user.id.as_str()).collect(),
        session_ids: first.iter().map(|i| of(i).session.as_str()).collect(),
        keys: first.iter().map(|i| of(i).idempotency_key.as_ref().map(|key| key.digest())).collect(),
        times: first.iter().map(|i| of(i).clock.now()).collect(),
    };
    let taken: Vec<(String, String)> = insert.load(conn)?;
    let taken: HashSet<Key<'_>> = taken.iter().map(|(appid, code)| (appid.as_str(), code.as_str())).collect();
    let is_new = |(i, code): &(usize, &String)| taken.contains(&(of(i).app.as_str(), code.as_str()));
    Ok(first.into_iter().zip(&codes).filter(is_new).map(|(i, _)| i).collect())
}

fn keep_session_keys(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    // If a person signs in several times in a group, the key of the exchange that began last wins.
    let mut latest: BTreeMap<Key<'_>, &RecordSignIn> = BTreeMap::new();
    for (sign_in, identity) in pairs {
        if identity.gets_newer_key(sign_in) {
            let slot = latest.entry(identity_key(sign_in)).or_insert(sign_in);
            if sign_in.exchange_began > slot.exchange_began {
                *slot = sign_in;
            }
        }
    }
    if !latest.is_empty() {
        let changed: Vec<&RecordSignIn> = latest.into_values().collect();
        let replace = ReplaceSessionKeys {
            appids: changed.iter().map(|s| s.app.as_str()).collect(),
            openids: changed.iter().map(|s| s.openid.as_str()).collect(),
            session_keys: changed.iter().map(|s| s.session_key.as_slice()).collect(),
            digests: changed.iter().map(|s| s.session_key_digest.as_str()).collect(),
            began: changed.iter().map(|s| s.exchange_began).collect(),
            until: changed.iter().map(|s| s.at.plus_seconds(PREVIOUS_KEY_SECONDS)).collect(),
        };
        replace.execute(conn)?;
    }
    set_unionids(pairs, conn)
}

fn set_unionids(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    let appeared: BTreeMap<Key<'_>, &str> = pairs
        .iter()
        .filter_map(|(sign_in, identity)| {
            identity.other_unionid(sign_in).map(|unionid| (identity_key(sign_in), unionid))
        })
        .collect();
    if appeared.is_empty() {
        return Ok(());
    }
    let (keys, unionids): (Vec<Key<'_>>, Vec<&str>) = appeared.into_iter().unzip();
    let (appids, openids) = keys.into_iter().unzip();
    SetUnionIds { appids, openids, unionids }.execute(conn)?;
    Ok(())
}

fn open_sessions(pairs: &[Pair<'_>], conn: &mut PgConnection) -> Result<(), StoreError> {
    if pairs.is_empty() {
        return Ok(());
    }
    let open = OpenSessions {
        ids: pairs.iter().map(|(s, _)| s.session.as_str()).collect(),
        user_ids: pairs.iter().map(|(_, identity)| identity.user.id.as_str()).collect(),
        appids: pairs.iter().map(|(s, _)| s.app.as_str()).collect(),
        openids: pairs.iter().map(|(s, _)| s.openid.as_str()).collect(),
        times: pairs.iter().map(|(s, _)| s.at).collect(),
        expires: pairs.iter().map(|(s, _)| s.expires_at).collect(),
        ends: pairs.iter().map(|(s, _)| s.ends_at).collect(),
        ips: pairs.iter().map(|(s, _)| s.client.ip.map(|ip| ip.to_string())).collect(),
        user_agents: pairs.iter().map(|(s, _)| s.client.user_agent.as_deref()).collect(),
    };
    open.execute(conn)?;
    Ok(())
}

/// The result of each sign-in, in order.
fn outcomes(pairs: &[Pair<'_>], fresh: &[usize]) -> Vec<SignInRecord> {
    let fresh: HashSet<usize> = fresh.iter().copied().collect();
    let mut announced: HashSet<&UserId> = HashSet::new();
    let mut outcomes = Vec::with_capacity(pairs.len());
    for (index, (sign_in, identity)) in pairs.iter().enumerate() {
        outcomes.push(if !fresh.contains(&index) {
            SignInRecord::Repeated
        } else if identity.user.status == UserStatus::Banned {
            SignInRecord::Banned(identity.user.id.clone())
        } else {
            let created = identity.created && announced.insert(&identity.user.id);
            sign_in.opened(identity.user.clone(), created)
        });
    }
    outcomes
}

//! First sign-ins on Postgres, where another node may be creating the same identities.

use super::statements::{DeleteUsers, FindUsersByUnionId, InsertIdentities, InsertUsers, LockUnionIds};
use super::{Identities, find_identities, identity_key, owned};
use crate::store::StoreError;
use crate::store::sign_in::RecordSignIn;
use diesel::prelude::*;
use std::collections::{HashMap, HashSet};

/// Creates missing identities. If another node creates the same ones, the first to write wins.
pub(super) fn create_identities(
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
    let (user_ids, new_users) = users_of(&missing, conn)?;
    let insert_users = InsertUsers {
        ids: new_users.iter().map(|s| s.new_user.as_str()).collect(),
        times: new_users.iter().map(|s| s.at).collect(),
    };
    insert_users.execute(conn)?;
    let written = insert_identities(&missing, &user_ids, conn)?;
    let lost: Vec<&RecordSignIn> =
        missing.iter().filter(|s| !written.contains(&owned(identity_key(s)))).copied().collect();
    if !lost.is_empty() {
        DeleteUsers { ids: lost.iter().map(|s| s.new_user.as_str()).collect() }.execute(conn)?;
    }
    find_identities(&missing, identities, conn)?;
    for sign_in in &new_users {
        if let Some(identity) = identities.get_mut(&owned(identity_key(sign_in))) {
            identity.created = identity.user.id == sign_in.new_user;
        }
    }
    Ok(())
}

/// The user of each of these sign-ins, and those that create theirs: the first one where no app knows the unionid.
fn users_of<'a>(
    missing: &[&'a RecordSignIn],
    conn: &mut PgConnection,
) -> Result<(Vec<String>, Vec<&'a RecordSignIn>), StoreError> {
    let mut owners = users_by_unionid(missing, conn)?;
    let mut new_users = Vec::new();
    let mut user_of = |sign_in: &&'a RecordSignIn| {
        let unionid = sign_in.unionid_text();
        if let Some(known) = unionid.and_then(|unionid| owners.get(unionid)) {
            return known.clone();
        }
        new_users.push(*sign_in);
        let id = sign_in.new_user.as_str().to_owned();
        owners.extend(unionid.map(|unionid| (unionid.to_owned(), id.clone())));
        id
    };
    Ok((missing.iter().map(&mut user_of).collect(), new_users))
}

fn users_by_unionid(
    missing: &[&RecordSignIn],
    conn: &mut PgConnection,
) -> Result<HashMap<String, String>, StoreError> {
    let unionids: Vec<&str> = missing.iter().filter_map(|s| s.unionid_text()).collect();
    if unionids.is_empty() {
        return Ok(HashMap::new());
    }
    LockUnionIds { unionids: unionids.clone() }.execute(conn)?;
    let rows: Vec<(String, String)> = FindUsersByUnionId { unionids }.load(conn)?;
    Ok(rows.into_iter().collect())
}

fn insert_identities(
    missing: &[&RecordSignIn],
    user_ids: &[String],
    conn: &mut PgConnection,
) -> Result<HashSet<(String, String)>, StoreError> {
    let insert = InsertIdentities {
        appids: missing.iter().map(|s| s.app.as_str()).collect(),
        openids: missing.iter().map(|s| s.openid.as_str()).collect(),
        user_ids: user_ids.iter().map(String::as_str).collect(),
        unionids: missing.iter().map(|s| s.unionid_text()).collect(),
        session_keys: missing.iter().map(|s| s.session_key.as_slice()).collect(),
        digests: missing.iter().map(|s| s.session_key_digest.as_str()).collect(),
        began: missing.iter().map(|s| s.exchange_began).collect(),
        created: missing.iter().map(|s| s.at).collect(),
    };
    Ok(insert.load(conn)?.into_iter().collect())
}

//! `[roles.NAME] permissions = […]`: which permissions each role grants.

use super::mistakes::Mistakes;
use super::reader::{Reader, strings, wrong_type};
use super::sources::Sources;
use crate::domain::{Permission, Role, RolePolicy};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "a name is 1 to 64 of lowercase letters, digits, `_`, `-`, `.`, `:`";

/// The maximum total length of all roles and permissions, in characters: a user may hold them all, and their
/// token, with base64, signature and the rest, must stay below the 16 KiB limit of a request head.
const MOST_IN_A_TOKEN: usize = 8 * 1024;

/// Reads only the roles, for a command that deals with them.
pub fn roles_for_command(sources: &Sources) -> Result<RolePolicy, Mistakes> {
    let mut reader = Reader::new(sources);
    let read = read_roles(&mut reader);
    reader.finish(Some(read))
}

/// Reads all roles and records any mistakes.
pub(super) fn read_roles(reader: &mut Reader<'_>) -> RolePolicy {
    let mut roles = BTreeMap::new();
    match reader.table("roles") {
        None => {}
        Some(toml::Value::Table(table)) => {
            for (name, value) in table {
                let place = reader.in_file(format!("[roles.{}]", name.escape_debug()));
                match Role::parse(name) {
                    Some(role) => {
                        roles.insert(role, read_permissions(reader, &place, value));
                    }
                    None => reader.wrong_at(place, NAME),
                }
            }
        }
        Some(other) => {
            let place = reader.in_file("roles");
            reader.wrong_at(place, wrong_type(other, "a table [roles.NAME] for each role"));
        }
    }
    let policy = RolePolicy::new(roles);
    let names = policy.roles().map(Role::as_str);
    let names = names.chain(policy.all_permissions().into_iter().map(Permission::as_str));
    let length: usize = names.map(|name| name.len() + 3).sum();
    if length > MOST_IN_A_TOKEN {
        let place = reader.in_file("roles");
        let what = format!("have {length} characters with their permissions: give at most {MOST_IN_A_TOKEN}");
        reader.wrong_at(
            place,
            format!("{what}, because access tokens contain them and must fit into a request's headers"),
        );
    }
    policy
}

fn read_permissions(reader: &mut Reader<'_>, place: &str, role: &toml::Value) -> BTreeSet<Permission> {
    let Some(role) = role.as_table() else {
        reader.wrong_at(place.to_owned(), wrong_type(role, "a table with `permissions`"));
        return BTreeSet::new();
    };
    reader.check_keys(place, role, &["permissions"]);
    let place = format!("`permissions` of {place}");
    let names = match role.get("permissions") {
        None => {
            reader.wrong_at(place.clone(), "is missing: give an array of names, empty for none");
            Vec::new()
        }
        Some(value) => strings(value).unwrap_or_else(|| {
            reader.wrong_at(place.clone(), wrong_type(value, "an array of strings"));
            Vec::new()
        }),
    };
    let mut permissions = BTreeSet::new();
    for name in names {
        match Permission::parse(name) {
            Some(permission) => {
                permissions.insert(permission);
            }
            None => reader.wrong_at(place.clone(), format!("{name:?}: {NAME}")),
        }
    }
    permissions
}

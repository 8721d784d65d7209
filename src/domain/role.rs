//! Authorization: operators grant roles, and the configuration maps roles to permissions.

use super::text::stored_text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A role's name: 1 to 64 of lowercase letters, digits, `_`, `-`, `.`, `:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Role(String);

/// A permission's name, in the format of a role's. Permissions become the token's `scope` (RFC 9068 2.2.3), so they
/// contain no space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Permission(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Parses a name; `None` if it is malformed.
            pub fn parse(text: &str) -> Option<Self> {
                let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b':');
                ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
            }
        }
    };
}
name!(Role);
name!(Permission);
stored_text!(Role, Permission);

/// Permissions as an OAuth `scope` (RFC 6749 3.3): separated by spaces.
pub fn scope(permissions: &[Permission]) -> String {
    let names: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
    names.join(" ")
}

/// The permissions of each role, as configured under `[roles.NAME]`.
#[derive(Debug, Clone, Default)]
pub struct RolePolicy(BTreeMap<Role, BTreeSet<Permission>>);

impl RolePolicy {
    /// A policy with the given roles.
    pub fn new(roles: BTreeMap<Role, BTreeSet<Permission>>) -> Self {
        Self(roles)
    }

    /// Is this role configured?
    pub(crate) fn knows(&self, role: &Role) -> bool {
        self.0.contains_key(role)
    }

    /// The configured roles, sorted.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.0.keys()
    }

    /// All permissions of these roles, sorted, without duplicates. A role that is no longer configured has none.
    pub(crate) fn permissions(&self, roles: &[Role]) -> Vec<Permission> {
        let all: BTreeSet<_> = roles.iter().filter_map(|role| self.0.get(role)).flatten().collect();
        all.into_iter().cloned().collect()
    }

    /// The permissions of all roles, sorted, without duplicates.
    pub(crate) fn all_permissions(&self) -> Vec<&Permission> {
        let all: BTreeSet<_> = self.0.values().flatten().collect();
        all.into_iter().collect()
    }
}

/// Permissions that a client requests by name, to be checked against the roles of the user once known.
#[derive(Debug, Clone)]
pub struct RequestedScope {
    /// `None`: one of the names is no permission's, so nobody holds it.
    permissions: Option<Vec<Permission>>,
    policy: Arc<RolePolicy>,
}

impl RequestedScope {
    /// Reads names separated by spaces (RFC 6749 3.3), with `policy` to say which roles include them.
    pub fn parse(names: &str, policy: Arc<RolePolicy>) -> Self {
        let names = names.split(' ').filter(|name| !name.is_empty());
        Self { permissions: names.map(Permission::parse).collect(), policy }
    }

    /// Do these roles include all requested permissions?
    pub fn is_held_by(&self, roles: &[Role]) -> bool {
        let Some(asked) = &self.permissions else { return false };
        if asked.is_empty() {
            return true;
        }
        let held = self.policy.permissions(roles);
        asked.iter().all(|asked| held.contains(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_of_roles_are_united() {
        let permission = |text: &str| Permission::parse(text).unwrap();
        let role = |text| Role::parse(text).unwrap();
        let policy = RolePolicy::new(BTreeMap::from([
            (role("editor"), BTreeSet::from([permission("posts:write"), permission("posts:read")])),
            (role("reader"), BTreeSet::from([permission("posts:read")])),
        ]));
        let held = policy.permissions(&[role("reader"), role("editor"), role("gone")]);
        assert_eq!(held, [permission("posts:read"), permission("posts:write")]);
        assert_eq!(policy.all_permissions(), held.iter().collect::<Vec<_>>());
        assert!(Role::parse("Has Space").is_none());
        let asked = |names| RequestedScope::parse(names, Arc::new(policy.clone()));
        assert!(asked(" posts:read ").is_held_by(&[role("reader")]));
        assert!(!asked("posts:read posts:write").is_held_by(&[role("reader")]));
        assert!(!asked("posts:read Posts:Read").is_held_by(&[role("reader")]), "no permission is called so");
        assert!(asked("").is_held_by(&[]));
    }
}

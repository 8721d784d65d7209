//! What users may do: operators grant roles, the configuration says which permissions a role carries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A role's name: 1 to 64 of lowercase letters, digits, `_`, `-`, `.`, `:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Role(String);

/// A permission's name, of the same form. Permissions travel as the token's `scope` (RFC 9068 2.2.3),
/// so they hold no space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Permission(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Reads a name; `None` where it is not of the form.
            pub fn parse(text: &str) -> Option<Self> {
                let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b':');
                ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
            }

            /// Takes a name that was stored or signed before.
            pub fn from_stored(text: &str) -> Self {
                Self(text.to_owned())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}
name!(Role);
name!(Permission);

/// Which permissions each role carries, as configured under `[roles.NAME]`.
#[derive(Debug, Clone, Default)]
pub struct RolePolicy(BTreeMap<Role, BTreeSet<Permission>>);

impl RolePolicy {
    /// A policy of the given roles.
    pub fn new(roles: BTreeMap<Role, BTreeSet<Permission>>) -> Self {
        Self(roles)
    }

    /// Is this role configured?
    pub fn knows(&self, role: &Role) -> bool {
        self.0.contains_key(role)
    }

    /// The configured roles, sorted.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.0.keys()
    }

    /// All permissions of these roles, sorted, each once. A role no longer configured carries none.
    pub fn permissions(&self, roles: &[Role]) -> Vec<Permission> {
        let all: BTreeSet<_> = roles.iter().filter_map(|role| self.0.get(role)).flatten().collect();
        all.into_iter().cloned().collect()
    }

    /// All permissions that any role carries, sorted, each once.
    pub fn all_permissions(&self) -> Vec<&Permission> {
        let all: BTreeSet<_> = self.0.values().flatten().collect();
        all.into_iter().collect()
    }
}

/// Permissions that a client asks for by name, to be held against the roles of whoever it turns out to speak for.
#[derive(Debug, Clone)]
pub struct RequestedScope {
    permissions: Vec<Permission>,
    policy: Arc<RolePolicy>,
}

impl RequestedScope {
    /// These permissions, as `policy` lets roles carry them.
    pub fn new(permissions: Vec<Permission>, policy: Arc<RolePolicy>) -> Self {
        Self { permissions, policy }
    }

    /// Do these roles carry all that is asked for?
    pub fn is_held_by(&self, roles: &[Role]) -> bool {
        if self.permissions.is_empty() {
            return true;
        }
        let held = self.policy.permissions(roles);
        self.permissions.iter().all(|asked| held.contains(asked))
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
        let asked = |names: &[&str]| {
            let permissions = names.iter().map(|name| permission(name)).collect();
            RequestedScope::new(permissions, Arc::new(policy.clone()))
        };
        assert!(asked(&["posts:read"]).is_held_by(&[role("reader")]));
        assert!(!asked(&["posts:read", "posts:write"]).is_held_by(&[role("reader")]));
        assert!(asked(&[]).is_held_by(&[]));
    }
}

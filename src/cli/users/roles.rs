//! `weauth users grant` and `weauth users revoke`.

use super::OneUser;
use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, printable, say, shared_now};
use crate::config::{Sources, roles_for_command};
use crate::domain::Role;
use crate::store::{ChangeRoles, UserChange};
use clap::Args;

/// The arguments of `weauth users grant` and `revoke`.
#[derive(Debug, Args)]
pub(super) struct RoleArguments {
    #[command(flatten)]
    user: OneUser,
    /// The role's name.
    #[arg(value_name = "ROLE")]
    role: String,
}

pub(super) fn grant(sources: &Sources, arguments: &RoleArguments) -> Result<(), Failure> {
    let known = roles_for_command(sources)?;
    let role = Role::parse(&arguments.role).filter(|role| known.knows(role));
    let role = role.ok_or_else(|| unknown_role(arguments, known.roles()))?;
    let (id, name) = (&arguments.user.id, &arguments.role);
    match change(sources, arguments, vec![role], Vec::new())? {
        UserChange::NoSuchUser => Err(arguments.user.unknown()),
        UserChange::AsBefore => say(&format!("{id} has the role {name} already")),
        UserChange::Done { .. } => say(&format!("{id} has the role {name} now")),
    }
}

/// Revokes even a role that is no longer configured.
pub(super) fn revoke(sources: &Sources, arguments: &RoleArguments) -> Result<(), Failure> {
    let known = roles_for_command(sources)?;
    let role = Role::parse(&arguments.role).ok_or_else(|| unknown_role(arguments, known.roles()))?;
    let is_known = known.knows(&role);
    let (id, name) = (&arguments.user.id, &arguments.role);
    match change(sources, arguments, Vec::new(), vec![role])? {
        UserChange::NoSuchUser => Err(arguments.user.unknown()),
        UserChange::AsBefore if !is_known => Err(unknown_role(arguments, known.roles())),
        UserChange::AsBefore => say(&format!("{id} has no role {name}")),
        UserChange::Done { .. } => say(&format!("{id} has the role {name} no longer")),
    }
}

fn change(
    sources: &Sources,
    arguments: &RoleArguments,
    grant: Vec<Role>,
    revoke: Vec<Role>,
) -> Result<UserChange, Failure> {
    let mut database = open_database(sources)?;
    let (user, by, at) = (arguments.user.id(), operator(), shared_now(&mut database)?);
    Ok(database.commit(&ChangeRoles { user, grant, revoke, by, at })?)
}

fn unknown_role<'a>(arguments: &RoleArguments, known: impl Iterator<Item = &'a Role>) -> Failure {
    let known: Vec<&str> = known.map(Role::as_str).collect();
    let known = if known.is_empty() {
        "none is configured; add a table [roles.NAME] to the settings file".to_owned()
    } else {
        format!("configured roles: {}", known.join(", "))
    };
    Failure::new(format!("there is no role {}: {known}", printable(&arguments.role)))
}

//! `weauth users delete`.

use super::{OneUser, sessions};
use crate::cli::Failure;
use crate::cli::terminal::{confirm, open_database, operator, printable, say, shared_now};
use crate::config::Sources;
use crate::flows::forget_addresses;
use crate::store::{DeleteUser, UserChange};
use clap::Args;

/// The arguments of `weauth users delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArguments {
    #[command(flatten)]
    user: OneUser,
    /// Deletes without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(sources: &Sources, arguments: &DeleteArguments) -> Result<(), Failure> {
    let one = &arguments.user;
    let mut database = open_database(sources)?;
    let found = one.find(&mut database)?;
    if !arguments.yes {
        let name =
            found.nickname.as_deref().map(|name| format!(" ({})", printable(name))).unwrap_or_default();
        confirm(&format!("delete user {}{name}", one.id))?;
    }
    let walked_to = forget_addresses(&mut database, &found)?;
    let (user, by, at) = (found.id, operator(), shared_now(&mut database)?);
    match database.commit(&DeleteUser { user, by, at, walked_to })? {
        UserChange::NoSuchUser | UserChange::AsBefore => Err(one.unknown()),
        UserChange::Done { ended } => say(&format!("{} is deleted; {} ended", one.id, sessions(ended.len()))),
    }
}

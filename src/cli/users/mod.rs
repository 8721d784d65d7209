//! `weauth users`: manages the user table from a terminal. Changes take effect on every running server within a
//! second.

mod delete;
mod list;
mod logout;
mod roles;
mod show;
mod status;

use super::Failure;
use super::terminal::printable;
use crate::config::Sources;
use crate::domain::{UserId, UserStatus};
use crate::store::{Direct, FindUser};
use clap::{Args, Subcommand};

/// The arguments of `weauth users`.
#[derive(Debug, Args)]
pub(super) struct UsersArguments {
    #[command(subcommand)]
    action: UsersAction,
}

#[derive(Debug, Subcommand)]
enum UsersAction {
    /// Lists users, the newest first; the options narrow the list to those who match all of them.
    List(list::ListArguments),
    /// Shows one user with identities and sessions.
    Show(show::ShowArguments),
    /// Bans a user: all their sessions end, and no login succeeds until `unban`.
    Ban(OneUser),
    /// Lets a banned user log in again; tokens from before the ban stay ended.
    Unban(OneUser),
    /// Gives a user a role of the configuration ([roles.NAME]).
    Grant(roles::RoleArguments),
    /// Takes a role from a user.
    Revoke(roles::RoleArguments),
    /// Ends all sessions of a user; they may log in again.
    Logout(OneUser),
    /// Deletes a user and all their personal data; if they log in again, they are a new user.
    Delete(delete::DeleteArguments),
}

/// A user, by id.
#[derive(Debug, Args)]
struct OneUser {
    /// The user's id.
    #[arg(value_name = "ID")]
    id: String,
}

impl OneUser {
    fn id(&self) -> UserId {
        UserId::from_stored(self.id.clone())
    }

    /// The failure if there is no such user.
    fn unknown(&self) -> Failure {
        Failure::new(format!("there is no user {}", printable(&self.id)))
    }

    fn find(&self, database: &mut Direct) -> Result<crate::domain::User, Failure> {
        database.run(&FindUser(self.id()))?.ok_or_else(|| self.unknown())
    }
}

pub(super) fn run(sources: &Sources, arguments: &UsersArguments) -> Result<(), Failure> {
    match &arguments.action {
        UsersAction::List(arguments) => list::run(sources, arguments),
        UsersAction::Show(arguments) => show::run(sources, arguments),
        UsersAction::Ban(user) => status::run(sources, user, UserStatus::Banned),
        UsersAction::Unban(user) => status::run(sources, user, UserStatus::Active),
        UsersAction::Grant(arguments) => roles::grant(sources, arguments),
        UsersAction::Revoke(arguments) => roles::revoke(sources, arguments),
        UsersAction::Logout(user) => logout::run(sources, user),
        UsersAction::Delete(arguments) => delete::run(sources, arguments),
    }
}

/// A number of sessions in words.
fn sessions(count: usize) -> String {
    if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") }
}

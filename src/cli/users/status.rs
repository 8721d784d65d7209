//! `weauth users ban` and `weauth users unban`.

use super::{OneUser, sessions};
use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say};
use crate::config::Sources;
use crate::domain::{Clock, UserStatus};
use crate::store::{SetUserStatus, UserChange};

pub(super) fn run(sources: &Sources, one: &OneUser, status: UserStatus) -> Result<(), Failure> {
    let (user, by, at) = (one.id(), operator(), Clock::system().now());
    let change = open_database(sources)?.commit(&SetUserStatus { user, status, by, at })?;
    let id = &one.id;
    match (change, status) {
        (UserChange::NoSuchUser, _) => Err(one.unknown()),
        (UserChange::AsBefore, UserStatus::Banned) => say(&format!("{id} was banned already")),
        (UserChange::AsBefore, UserStatus::Active) => say(&format!("{id} was not banned")),
        (UserChange::Done { ended }, UserStatus::Banned) => {
            say(&format!("{id} is banned; {} ended", sessions(ended.len())))
        }
        (UserChange::Done { .. }, UserStatus::Active) => say(&format!("{id} may log in again")),
    }
}

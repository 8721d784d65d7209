//! `weauth users ban` and `weauth users unban`.

use super::{OneUser, sessions};
use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now};
use crate::config::Sources;
use crate::domain::UserStatus;
use crate::store::{SetUserStatus, UserChange};

pub(super) fn run(sources: &Sources, one: &OneUser, status: UserStatus) -> Result<(), Failure> {
    let mut database = open_database(sources)?;
    let (user, by, at) = (one.id(), operator(), shared_now(&mut database)?);
    let change = database.commit(&SetUserStatus { user, status, by, at })?;
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

//! `weauth users logout`.

use super::{OneUser, sessions};
use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now};
use crate::config::Sources;
use crate::store::{EndSessions, Ending};

pub(super) fn run(sources: &Sources, one: &OneUser) -> Result<(), Failure> {
    let mut database = open_database(sources)?;
    let user = one.find(&mut database)?.id;
    let (which, by, at) = (Ending::All, operator(), shared_now(&mut database)?);
    let ended = database.commit(&EndSessions { user, which, by, at })?;
    say(&format!("{}: {} ended", one.id, sessions(ended.len())))
}

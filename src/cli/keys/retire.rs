//! `weauth keys retire`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now};
use crate::config::Sources;
use crate::store::{ListRetiredKeys, RetireKey, Retirement};
use clap::Args;

/// The arguments of `weauth keys retire`.
#[derive(Debug, Args)]
pub(super) struct RetireArguments {
    /// The key, as `weauth keys list` names it.
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: String,
}

pub(super) fn run(sources: &Sources, arguments: &RetireArguments) -> Result<(), Failure> {
    let mut db = open_database(sources)?;
    let at = shared_now(&mut db)?;
    let id = arguments.kid.clone();
    match db.commit(&RetireKey { id, at, by: operator() })? {
        Retirement::Done => {
            say(&format!("{} is destroyed; what it signed is refused within 5 seconds", arguments.kid))
        }
        Retirement::Unknown if db.run(&ListRetiredKeys)?.iter().any(|key| key.id == arguments.kid) => {
            say(&format!("{} was retired before", arguments.kid))
        }
        Retirement::Unknown => {
            Err(Failure::new(format!("there is no key {:?}; `weauth keys list` names them", arguments.kid)))
        }
        Retirement::Needed => Err(Failure::new(format!(
            "{} is the only key that can sign: add another one first with `weauth keys rotate --in 0`",
            arguments.kid
        ))),
    }
}

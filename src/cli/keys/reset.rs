//! `weauth keys reset`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now};
use crate::config::Sources;
use crate::store::ResetKeys;
use clap::Args;

/// The arguments of `weauth keys reset`.
#[derive(Debug, Args)]
pub(super) struct ResetArguments {
    /// Confirms: every token becomes invalid, everybody has to log in again, and WeChat's session keys are gone until
    /// they do.
    #[arg(long, required = true)]
    yes: bool,
}

pub(super) fn run(sources: &Sources, _: &ResetArguments) -> Result<(), Failure> {
    let mut db = open_database(sources)?;
    let at = shared_now(&mut db)?;
    let destroyed = db.commit(&ResetKeys { at, by: operator() })?;
    say(&format!(
        "{destroyed} keys and all of WeChat's session keys are destroyed; set a new WEAUTH_MASTER_KEY and restart every \
         server"
    ))
}

//! `weauth migrate`: brings the database up to date.

use super::{Failure, MigrateArguments};
use crate::config::Sources;

pub(super) fn run(_sources: &Sources, _arguments: &MigrateArguments) -> Result<(), Failure> {
    Err(Failure::new("weauth migrate: not wired yet"))
}

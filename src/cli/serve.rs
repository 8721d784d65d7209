//! `weauth serve`: the production server.

use super::Failure;
use crate::config::Sources;

pub(super) fn run(_sources: &Sources) -> Result<(), Failure> {
    Err(Failure::new("weauth serve: not wired yet"))
}

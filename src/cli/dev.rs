//! `weauth dev`: everything in one process, for trying out.

use super::{DevArguments, Failure};
use crate::config::Sources;

pub(super) fn run(_sources: &Sources, _arguments: &DevArguments) -> Result<(), Failure> {
    Err(Failure::new("weauth dev: not wired yet"))
}

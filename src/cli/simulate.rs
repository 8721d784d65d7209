//! `weauth simulate`: the WeChat simulator alone.

use super::{Failure, SimulateArguments};

pub(super) fn run(_arguments: SimulateArguments) -> Result<(), Failure> {
    Err(Failure::new("weauth simulate: not wired yet"))
}

//! `weauth keys`: the keys that sign access tokens.

mod list;

use super::Failure;
use crate::config::Sources;
use clap::{Args, Subcommand};

/// The arguments of `weauth keys`.
#[derive(Debug, Args)]
pub(super) struct KeysArguments {
    #[command(subcommand)]
    action: KeysAction,
}

#[derive(Debug, Subcommand)]
enum KeysAction {
    /// Lists the signing keys and what each does now.
    List(list::ListArguments),
}

pub(super) fn run(sources: &Sources, arguments: &KeysArguments) -> Result<(), Failure> {
    match &arguments.action {
        KeysAction::List(list) => list::run(sources, list),
    }
}

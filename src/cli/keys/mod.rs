//! `weauth keys`: the keys that sign access tokens, and the API keys of backends.

mod api;
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
    /// The API keys by which backends call.
    Api(api::ApiArguments),
}

pub(super) fn run(sources: &Sources, arguments: &KeysArguments) -> Result<(), Failure> {
    match &arguments.action {
        KeysAction::List(list) => list::run(sources, list),
        KeysAction::Api(api) => api::run(sources, api),
    }
}

//! `weauth keys`: the signing keys, the master key that seals them, and the API keys of backends.

mod api;
mod list;
mod reencrypt;
mod reset;
mod retire;
mod rotate;

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
    /// Adds a new signing key: published at once, signing a little later. The old one verifies until the last token
    /// that it signed has expired.
    Rotate(rotate::RotateArguments),
    /// Destroys one key at once. What it signed is refused within seconds.
    Retire(retire::RetireArguments),
    /// Reencrypts everything with the first master key of WEAUTH_MASTER_KEY=new,old, while servers run. May be
    /// interrupted and run again.
    Reencrypt,
    /// Destroys every key, for when the master key is lost: everybody logs in again.
    Reset(reset::ResetArguments),
    /// Manages the API keys with which backends call.
    Api(api::ApiArguments),
}

pub(super) fn run(sources: &Sources, arguments: &KeysArguments) -> Result<(), Failure> {
    match &arguments.action {
        KeysAction::List(list) => list::run(sources, list),
        KeysAction::Rotate(rotate) => rotate::run(sources, rotate),
        KeysAction::Retire(retire) => retire::run(sources, retire),
        KeysAction::Reencrypt => reencrypt::run(sources),
        KeysAction::Reset(reset) => reset::run(sources, reset),
        KeysAction::Api(api) => api::run(sources, api),
    }
}

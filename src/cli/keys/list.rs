//! `weauth keys list`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, print_json, print_table};
use crate::config::Sources;
use crate::domain::{Clock, Time};
use crate::store::{KeyPurpose, LoadKeys};
use clap::Args;
use serde::Serialize;

/// The arguments of `weauth keys list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// A signing key as it is shown.
#[derive(Serialize)]
struct KeyView {
    kid: String,
    algorithm: String,
    state: &'static str,
    active_from: Time,
}

#[derive(Serialize)]
struct KeysView {
    items: Vec<KeyView>,
}

pub(super) fn run(sources: &Sources, arguments: &ListArguments) -> Result<(), Failure> {
    let stored = open_database(sources)?.run(&LoadKeys)?;
    let now = Clock::system().now();
    let mut keys: Vec<_> = stored.into_iter().filter(|key| key.purpose == KeyPurpose::Sign).collect();
    keys.reverse();
    let signing = keys.iter().position(|key| key.active_from <= now);
    let view = |(place, key): (usize, crate::store::StoredKey)| KeyView {
        kid: key.id,
        algorithm: key.algorithm,
        state: match signing {
            Some(signing) if place == signing => "signs",
            Some(signing) if place > signing => "verifies",
            _ => "next",
        },
        active_from: key.active_from,
    };
    let items: Vec<KeyView> = keys.into_iter().enumerate().map(view).collect();
    if arguments.json {
        return print_json(&KeysView { items });
    }
    let row = |key: KeyView| vec![key.kid, key.algorithm, key.state.to_owned(), key.active_from.rfc3339()];
    print_table(&["kid", "algorithm", "state", "active from"], items.into_iter().map(row).collect())
}

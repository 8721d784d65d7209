//! `weauth keys list`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, print_json, print_table, shared_now};
use crate::config::Sources;
use crate::domain::{KeyState, Time};
use crate::store::{KeyPurpose, ListRetiredKeys, LoadKeys, StoredKey};
use clap::Args;
use serde::Serialize;

/// The arguments of `weauth keys list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Lists the retired keys too.
    #[arg(long)]
    all: bool,
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// A signing key as shown.
#[derive(Serialize)]
struct KeyView {
    kid: String,
    algorithm: String,
    state: &'static str,
    created_at: Time,
    active_from: Time,
    verifies_until: Option<Time>,
    retired_at: Option<Time>,
}

#[derive(Serialize)]
struct KeysView {
    items: Vec<KeyView>,
}

pub(super) fn run(sources: &Sources, arguments: &ListArguments) -> Result<(), Failure> {
    let mut db = open_database(sources)?;
    let now = shared_now(&mut db)?;
    let signing = |keys: Vec<StoredKey>| keys.into_iter().filter(|key| key.purpose == KeyPurpose::Sign);
    let live: Vec<StoredKey> = signing(db.run(&LoadKeys)?).collect();
    let retired = if arguments.all { db.run(&ListRetiredKeys)? } else { Vec::new() };
    let active_from: Vec<Time> = live.iter().map(|key| key.active_from).collect();
    let live =
        live.into_iter().enumerate().map(|(place, key)| view(key, KeyState::of(place, &active_from, now)));
    let retired = signing(retired).map(|key| view(key, KeyState::Retired));
    let mut items: Vec<KeyView> = retired.chain(live).collect();
    items.reverse();
    if arguments.json {
        return print_json(&KeysView { items });
    }
    let header = ["kid", "algorithm", "state", "created", "active from", "verifies until"];
    print_table(&header, items.into_iter().map(row).collect())
}

fn view(key: StoredKey, state: KeyState) -> KeyView {
    KeyView {
        kid: key.id,
        algorithm: key.algorithm,
        state: state.as_str(),
        created_at: key.created_at,
        active_from: key.active_from,
        verifies_until: key.verifies_until,
        retired_at: key.retired_at,
    }
}

fn row(key: KeyView) -> Vec<String> {
    let until = match (key.retired_at, key.verifies_until) {
        (Some(retired_at), _) => format!("retired {}", retired_at.rfc3339()),
        (None, Some(until)) => until.rfc3339(),
        (None, None) => String::new(),
    };
    let (created, active) = (key.created_at.rfc3339(), key.active_from.rfc3339());
    vec![key.kid, key.algorithm, key.state.to_owned(), created, active, until]
}

//! `weauth keys rotate`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now, tell};
use crate::config::{KeyCommandConfig, Sources};
use crate::domain::PUBLISHED_BEFORE_SIGNING;
use crate::flows::{StartKeysError, master_key_fits, new_signing_key};
use crate::store::{LoadKeys, RotateIf, RotateKey};
use clap::Args;

const A_DAY: i64 = 86_400;

/// The arguments of `weauth keys rotate`.
#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// The seconds until the new key signs, at most a day. With less than 45, nodes and verifiers that do not know the
    /// key yet may refuse its tokens for a while.
    #[arg(long = "in", value_name = "SECONDS", default_value_t = PUBLISHED_BEFORE_SIGNING,
          value_parser = clap::value_parser!(i64).range(0..=A_DAY))]
    seconds: i64,
}

pub(super) fn run(sources: &Sources, arguments: &RotateArguments) -> Result<(), Failure> {
    let config = KeyCommandConfig::for_command(sources)?;
    let mut db = open_database(sources)?;
    let stored = db.run(&LoadKeys)?;
    if stored.is_empty() {
        return Err(Failure::new("there is no key to replace: the first start of `weauth serve` makes one"));
    }
    if !master_key_fits(&config.master_keys, &stored) {
        return Err(StartKeysError::MasterKey.into());
    }
    let algorithm = config.keys.signing_algorithm;
    let key = new_signing_key(&config.master_keys, algorithm, i64::from(config.access_ttl))?;
    let kid = key.id.clone();
    let at = shared_now(&mut db)?;
    let active_from = at.plus_seconds(arguments.seconds);
    db.commit(&RotateKey { key, condition: RotateIf::Asked, at, active_from, by: operator() })?;
    let printed = say(&format!("{kid} ({}) signs from {}", algorithm.as_str(), active_from.rfc3339()));
    if arguments.seconds < PUBLISHED_BEFORE_SIGNING {
        tell(
            "Nodes learn of the new key within 5 seconds, and verifiers cache the old key set for up to 30: until then \
             they may refuse its tokens. The old key still verifies; if it leaked, destroy it with `weauth keys retire`.",
        );
    }
    printed
}

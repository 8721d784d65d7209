//! `weauth migrate`: applies, lists or reverts migrations.

use super::terminal::not_opened;
use super::{Failure, MigrateArguments};
use crate::config::{DatabaseConfig, Sources};
use crate::store::Migrator;
use std::io::Write;

pub(super) fn run(sources: &Sources, arguments: &MigrateArguments) -> Result<(), Failure> {
    let database = DatabaseConfig::for_command(sources)?;
    let named = |error| not_opened(sources, &database, &error);
    let mut out = std::io::stdout().lock();
    if arguments.status {
        for state in Migrator::status_of(&database.url).map_err(named)? {
            let mark = if state.applied { "[x]" } else { "[ ]" };
            let unknown =
                if state.known { "" } else { " (unknown to this weauth: perhaps from a newer one)" };
            writeln!(out, "{mark} {}{unknown}", state.name)?;
        }
        return Ok(());
    }
    let (done, names) = match arguments.revert {
        Some(count) => ("reverted", Migrator::revert(&database.url, count).map_err(named)?),
        None => {
            let applied = Migrator::connect(&database.url).and_then(|mut migrator| migrator.apply_pending());
            ("applied", applied.map_err(named)?)
        }
    };
    for name in &names {
        writeln!(out, "{done} {name}")?;
    }
    if names.is_empty() {
        writeln!(out, "nothing to do: the database is up to date")?;
    }
    Ok(())
}

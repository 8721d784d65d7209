//! `weauth migrate`: applies, lists or reverts migrations.

use super::{Failure, MigrateArguments};
use crate::config::{DatabaseConfig, Sources};
use crate::store::Migrator;
use std::io::Write;

pub(super) fn run(sources: &Sources, arguments: &MigrateArguments) -> Result<(), Failure> {
    let database = DatabaseConfig::for_command(sources)?;
    let named = |error| Failure::new(format!("DATABASE_URL: {}: {error}", database.url));
    let mut migrator = Migrator::connect(&database.url).map_err(named)?;
    let mut out = std::io::stdout().lock();
    if arguments.status {
        for state in migrator.status().map_err(named)? {
            writeln!(out, "{} {}", if state.applied { "[x]" } else { "[ ]" }, state.name)?;
        }
        return Ok(());
    }
    let (done, names) = match arguments.revert {
        Some(count) => ("reverted", migrator.revert(count).map_err(named)?),
        None => ("applied", migrator.apply_pending().map_err(named)?),
    };
    for name in &names {
        writeln!(out, "{done} {name}")?;
    }
    if names.is_empty() {
        writeln!(out, "nothing to do: the database is up to date")?;
    }
    Ok(())
}

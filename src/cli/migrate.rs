//! `weauth migrate`: applies, lists or reverts migrations.

use super::terminal::{not_opened, print_line, say};
use super::{Failure, MigrateArguments};
use crate::config::{DatabaseConfig, Sources};
use crate::store::Migrator;

pub(super) fn run(sources: &Sources, arguments: &MigrateArguments) -> Result<(), Failure> {
    let database = DatabaseConfig::for_command(sources)?;
    let named = |error| not_opened(sources, &database, &error);
    if arguments.status {
        for state in Migrator::status_of(&database.url).map_err(named)? {
            let mark = if state.applied { "[x]" } else { "[ ]" };
            let unknown =
                if state.known { "" } else { " (unknown to this weauth: perhaps from a newer one)" };
            print_line(&format!("{mark} {}{unknown}", state.name))?;
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
    if names.is_empty() {
        return print_line("nothing to do: the database is up to date");
    }
    let lines: Vec<String> = names.iter().map(|name| format!("{done} {name}")).collect();
    say(&lines.join("\n"))
}

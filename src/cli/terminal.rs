//! Shared by the commands that read the database: opening it, and printing results as a table for people or as
//! JSON for scripts.

use super::Failure;
use super::escape::{Escapes, escaped};
use crate::config::{DatabaseConfig, Sources};
use crate::domain::{Actor, Clock, Time};
use crate::store::{Direct, ReadNow, StoreError};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{Error, ErrorKind, IsTerminal, Write};

/// Opens the configured database.
pub(super) fn open_database(sources: &Sources) -> Result<Direct, Failure> {
    let database = DatabaseConfig::for_command(sources)?;
    Direct::open(&database.url).map_err(|error| not_opened(sources, &database, &error))
}

/// Says of a database that can't be used where its URL is from: it may be meant for another folder.
pub(super) fn not_opened(sources: &Sources, database: &DatabaseConfig, error: &StoreError) -> Failure {
    Failure::new(format!("{} ({}): {error}", database.url, DatabaseConfig::origin(sources)))
}

/// The time shared by all nodes: the database's clock, or this machine's if the database is a file on it.
pub(super) fn shared_now(database: &mut Direct) -> Result<Time, Failure> {
    Ok(database.run(&ReadNow)?.unwrap_or_else(|| Clock::system().now()))
}

/// Prints rows under a header, in columns as wide as needed (a Chinese character takes two cells).
pub(super) fn print_table(header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(|cell| printable(&cell))));
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    table.lines().try_for_each(|line| print_line(line.trim_end()))
}

/// Prints a value as JSON for scripts. serde_json leaves some characters as they are that steer a terminal.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)?;
    json.lines().try_for_each(|line| print_line(&escaped(line, Escapes::Controls)))
}

/// Prints one line.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    print(line, |error| format!("standard output: {error}"))
}

/// Prints what was done. If that fails, the failure says it.
pub(super) fn say(done: &str) -> Result<(), Failure> {
    print(done, |error| format!("done, but it could not be printed (standard output: {error}): {done}"))
}

/// `told` is the failure, unless it is that the reader has read enough.
fn print(text: &str, told: impl FnOnce(Error) -> String) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::new(told(error)),
    })
}

/// Prints a message for people to standard error; standard output is for scripts.
pub(super) fn tell(sentence: &str) {
    // If standard error is closed, nobody is reading.
    let _closed = writeln!(std::io::stderr(), "{sentence}");
}

/// The person running the command, for the audit log; not whom they run it as, with sudo.
pub(super) fn operator() -> Actor {
    let value = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(value);
    Actor::terminal(name.as_deref())
}

/// Asks before something irreversible; fails if the answer is not yes, or there is no terminal to ask at.
pub(super) fn confirm(what: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "nothing was done: to {what} without a terminal to ask at, give --yes"
        )));
    }
    // If nobody can be asked, nothing is done, and that is a failure whatever the reason.
    let answer = ask(&format!("Do you want to {what}? This can't be undone. Type yes: "))
        .map_err(|error| Failure::new(format!("nothing was done: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was done")) }
}

fn ask(question: &str) -> std::io::Result<String> {
    let mut terminal = std::io::stderr().lock();
    terminal.write_all(question.as_bytes())?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer)
}

/// Escapes control characters: what clients wrote must not move the cursor.
pub(super) fn printable(text: &str) -> String {
    escaped(text, Escapes::Controls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(printable("小明"), "小明");
        assert_eq!(printable("a\u{1b}[2J\n"), "a\\u001b[2J\\n");
        assert_eq!(printable("\u{202e}nimda"), "\\u202enimda");
    }
}

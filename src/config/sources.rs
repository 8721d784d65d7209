//! Where settings come from: the text of one TOML file, and the environment. No `Debug`: it holds secrets.

use std::collections::BTreeMap;
use std::path::Path;

/// The file that is read if there is no `--config`.
pub const DEFAULT_FILE: &str = "weauth.toml";

/// The file and the environment, read but not yet interpreted.
pub struct Sources {
    pub(super) file_name: String,
    pub(super) file: File,
    env: BTreeMap<String, String>,
}

/// The result of reading the file.
pub(super) enum File {
    /// There is none, and none was asked for.
    Absent,
    /// It can't be read, for this reason.
    Broken(String),
    /// Its keys and values.
    Read(toml::Table),
}

impl Sources {
    /// The process's environment, and the file named by `--config` or else `weauth.toml` if there is one.
    pub fn of_process(config: Option<&Path>) -> Self {
        let name = config.unwrap_or(Path::new(DEFAULT_FILE));
        let file = match std::fs::read_to_string(name) {
            Ok(text) => parse(&text),
            Err(error) if config.is_none() && error.kind() == std::io::ErrorKind::NotFound => File::Absent,
            Err(error) => File::Broken(format!("the file can't be read: {error}")),
        };
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Self { file_name: name.display().to_string(), file, env: env.collect() }
    }

    /// The text of a file called `weauth.toml`, if there is one, and an environment.
    pub fn new(file: Option<&str>, env: impl IntoIterator<Item = (String, String)>) -> Self {
        let file = file.map_or(File::Absent, parse);
        Self { file_name: DEFAULT_FILE.to_owned(), file, env: env.into_iter().collect() }
    }

    /// A variable's value, trimmed; `None` if it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The names of all variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.env.keys().map(String::as_str)
    }

    /// A key's value in the file.
    pub(super) fn key(&self, key: &str) -> Option<&toml::Value> {
        self.table().and_then(|table| table.get(key))
    }

    /// The file's keys and values, if it could be read.
    pub(super) fn table(&self) -> Option<&toml::Table> {
        match &self.file {
            File::Read(table) => Some(table),
            File::Absent | File::Broken(_) => None,
        }
    }
}

/// Parses TOML. An error gives the line's number but does not show it, as it may hold a secret.
fn parse(text: &str) -> File {
    match text.parse::<toml::Table>() {
        Ok(table) => File::Read(table),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.as_bytes().get(..start).unwrap_or_default();
            let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
            let reason = error.message().replace('\n', ", ");
            File::Broken(format!("line {line} is not TOML: {reason}"))
        }
    }
}

//! Reads values from the sources and records every mistake instead of stopping at the first.

use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::settings::{ALL, Fallback, Form, Setting, TABLES};
use super::sources::{File, Sources};
use std::fmt::Display;

/// One pass over the sources. A missing or wrong value reads as `None`, and [`Reader::finish`] then returns the
/// mistakes instead of a configuration.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    mistakes: Mistakes,
}

/// A value as given by the environment or a default (text), or by the file.
enum Given<'a> {
    Text(&'a str),
    Value(&'a toml::Value),
}

impl<'a> Reader<'a> {
    /// Starts with the mistakes in the sources themselves: an unreadable file, unknown names.
    pub(super) fn new(sources: &'a Sources) -> Self {
        let mut reader = Self { sources, mistakes: Mistakes::default() };
        if let File::Broken(reason) = &sources.file {
            reader.mistakes.add(sources.file_name.clone(), reason);
        }
        let keys: Vec<String> = ALL.iter().map(|setting| setting.key()).collect();
        let known: Vec<&str> = keys.iter().map(String::as_str).chain(TABLES.iter().copied()).collect();
        if let Some(table) = sources.table() {
            reader.check_keys(&sources.file_name, table, &known);
        }
        reader.check_variables();
        reader
    }

    /// Records every key of `table` that is not in `known`.
    pub(super) fn check_keys(&mut self, place: &str, table: &toml::Table, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            let mend = match nearest(key, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None if known.len() < 5 => format!("known here: {}", known.join(", ")),
                None => "`weauth --help` names all settings".to_owned(),
            };
            self.wrong_at(format!("`{}` in {place}", key.escape_debug()), format!("unknown key; {mend}"));
        }
    }

    /// Records mistyped variables of ours. Others with the same prefix are ignored: a Kubernetes service called
    /// `weauth` sets a dozen.
    fn check_variables(&mut self) {
        for (name, meant) in self.mistyped("WEAUTH_") {
            self.did_you_mean(name, meant);
        }
    }

    /// Records variables that look like this one of WeChat, if it is not given itself: then they are another program's.
    pub(super) fn check_for(&mut self, setting: &Setting) {
        if self.is_set(setting) {
            return;
        }
        for (name, meant) in self.mistyped("WECHAT_").filter(|(_, meant)| *meant == setting.variable) {
            self.did_you_mean(name, meant);
        }
    }

    fn is_set(&self, setting: &Setting) -> bool {
        self.sources.variable(setting.variable).is_some() || self.sources.key(&setting.key()).is_some()
    }

    /// The unknown variables with this prefix that are near to a known one, each with that.
    fn mistyped(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'static str)> + use<'a> {
        let unknown = move |name: &&str| name.starts_with(prefix) && ALL.iter().all(|s| s.variable != *name);
        let meant = |name| nearest(name, ALL.iter().map(|setting| setting.variable));
        self.sources.variables().filter(unknown).filter_map(move |name| Some((name, meant(name)?)))
    }

    fn did_you_mean(&mut self, name: &str, meant: &str) {
        let what = format!("unknown environment variable; did you mean `{meant}`?");
        self.mistakes.add(name.escape_debug().to_string(), what);
    }

    /// The setting's value, or its default.
    fn given(&self, setting: &Setting) -> Option<Given<'a>> {
        let default = match setting.fallback {
            Fallback::Value(text) => Some(Given::Text(text)),
            Fallback::Words(_) => None,
        };
        let in_file = || self.sources.key(&setting.key()).map(Given::Value);
        self.sources.variable(setting.variable).map(Given::Text).or_else(in_file).or(default)
    }

    /// Reads a text with `parse`, whose error becomes the mistake and so must not show a secret.
    pub(super) fn text<T, E: Display>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = match self.given(setting)? {
            Given::Text(text) => text,
            Given::Value(toml::Value::String(text)) => text,
            Given::Value(other) => return self.wrong(setting, wrong_type(other, "a string in quotes")),
        };
        parse(text).map_err(|error| self.wrong::<()>(setting, error)).ok()
    }

    /// Reads a whole number within the setting's bounds.
    pub(super) fn number(&mut self, setting: &Setting) -> Option<u32> {
        let Form::Number { unit, bounds } = setting.form else { return None };
        let number = match self.given(setting)? {
            Given::Text(text) => text.parse().ok(),
            Given::Value(toml::Value::Integer(number)) => Some(*number),
            Given::Value(other) => {
                return self.wrong(setting, wrong_type(other, "a whole number without quotes"));
            }
        };
        let in_bounds = |number: &u32| bounds.contain(*number);
        let fitting = number.and_then(|number| u32::try_from(number).ok()).filter(in_bounds);
        if fitting.is_none() {
            let is = number.map_or("is not a whole number".to_owned(), |number| format!("is {number}"));
            return self.wrong(setting, format!("{is}: give {unit}, {bounds}"));
        }
        fitting
    }

    /// Reads every item of a list with `parse`; an empty list if nothing is given.
    pub(super) fn list<T, E: Display>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items: Vec<&str> = match self.given(setting) {
            None => Vec::new(),
            Some(Given::Text(text)) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            Some(Given::Value(value)) => match strings(value) {
                Some(items) => items,
                None => return self.wrong(setting, wrong_type(value, "an array of strings")),
            },
        };
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            match parse(item) {
                Ok(value) => read.push(value),
                Err(error) => {
                    self.wrong::<()>(setting, format!("{item:?}: {error}"));
                }
            }
        }
        Some(read)
    }

    /// Whether this setting is given, valid or not.
    pub(super) fn is_given(&self, setting: &Setting) -> bool {
        self.given(setting).is_some()
    }

    /// A table or array that only the file can hold.
    pub(super) fn table(&self, name: &str) -> Option<&'a toml::Value> {
        self.sources.key(name)
    }

    /// A place in the file, for mistakes.
    pub(super) fn in_file(&self, place: impl Display) -> String {
        format!("{place} in {}", self.sources.file_name)
    }

    /// Records a setting's mistake and returns `None`, so that it can end an expression.
    pub(super) fn wrong<T>(&mut self, setting: &Setting, what: impl Display) -> Option<T> {
        let place = format!("{} ({})", setting.variable, self.in_file(setting.key()));
        let key = setting.key();
        let both = self.sources.variable(setting.variable).is_some() && self.sources.key(&key).is_some();
        let whose = if both { " (the environment's value, which overrides the file's)" } else { "" };
        self.mistakes.add(place, format!("{what}{whose}"));
        None
    }

    /// Records that a setting is required, unless it may be in a file that could not be read.
    pub(super) fn missing(&mut self, setting: &Setting, mend: impl Display) {
        if !matches!(self.sources.file, File::Broken(_)) {
            self.wrong::<()>(setting, format!("is missing: {mend}"));
        }
    }

    /// Records a mistake at some other place.
    pub(super) fn wrong_at(&mut self, place: String, what: impl Display) {
        self.mistakes.add(place, what);
    }

    /// Returns what was read, if it is complete and there are no mistakes.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Mistakes> {
        match read {
            Some(read) if self.mistakes.is_empty() => Ok(read),
            _ => Err(self.mistakes),
        }
    }
}

/// Describes a value of the wrong type, without showing it.
pub(super) fn wrong_type(value: &toml::Value, wanted: &str) -> String {
    format!("is of type {}: give {wanted}", value.type_str())
}

/// An array's strings; `None` if it is not an array or holds anything else.
pub(super) fn strings(value: &toml::Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(toml::Value::as_str).collect()
}

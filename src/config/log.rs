//! Settings for what is logged, and in which format.

use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::reader::Reader;
use super::settings::{RUST_LOG, WEAUTH_LOG_FORMAT};
use super::sources::Sources;
use ::log::LevelFilter;

/// Settings for the logger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Which records are written (`RUST_LOG`), in env_logger's syntax.
    pub filter: String,
    /// How a record is written (`WEAUTH_LOG_FORMAT`).
    pub format: LogFormat,
}

/// How a record is written, always on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: `2026-01-02T03:04:05.678Z INFO  weauth::http message`.
    Text,
    /// For machines: one JSON object, with the parts of the message as fields if it has any.
    Json,
}

impl LogConfig {
    /// Reads what can be read and takes defaults for the rest, so that there is a log before the configuration is
    /// read, for every command. Mistakes are reported when the whole configuration is read.
    pub(crate) fn or_default(sources: &Sources) -> Self {
        let mut reader = Reader::new(sources);
        Self {
            filter: reader.text(&RUST_LOG, parse_filter).unwrap_or_else(|| "info".to_owned()),
            format: reader.text(&WEAUTH_LOG_FORMAT, parse_format).unwrap_or(LogFormat::Text),
        }
    }

    /// Reads it, with its mistakes, for a command that reads no other settings.
    pub(crate) fn for_command(sources: &Sources) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let filter = reader.text(&RUST_LOG, parse_filter);
        let format = reader.text(&WEAUTH_LOG_FORMAT, parse_format);
        Some(Self { filter: filter?, format: format? })
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

fn parse_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither `text` nor `json`"),
    }
}

/// Validates a filter, because env_logger drops directives that it does not understand: `LEVEL`, `TARGET` or
/// `TARGET=LEVEL`, separated by commas, then `/` and a text to search for.
fn parse_filter(text: &str) -> Result<String, String> {
    let (directives, search) = text.split_once('/').unwrap_or((text, ""));
    let is_level = |level: &str| level.is_empty() || level.parse::<LevelFilter>().is_ok();
    let is_target = |target: &str| {
        target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.'))
    };
    let understood = |directive: &str| match directive.split_once('=') {
        Some((target, level)) => is_target(target.trim()) && is_level(level.trim()),
        // A misspelt level would be taken for a target, and silence all others.
        None => {
            is_level(directive) || is_target(directive) && nearest(directive, LEVELS.into_iter()).is_none()
        }
    };
    if search.contains('/') {
        return Err("has more than one `/`: give a list like `info,weauth=debug`".to_owned());
    }
    match directives.split(',').map(str::trim).find(|directive| !understood(directive)) {
        Some(wrong) => {
            Err(format!("{wrong:?} is not a filter: give a level ({}) or TARGET=LEVEL", LEVELS.join(", ")))
        }
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_what_env_logger_takes() {
        for good in [
            "info",
            "off",
            "info,weauth=debug",
            "weauth::http=trace, warn",
            "DEBUG",
            "weauth",
            "weauth::http",
            "info/login",
            "a=",
            "info,reqwest",
            "actix_web",
        ] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for wrong in
            ["weauth=debgu", "debugg", "info, wran", "info;debug", "a=b=c", "hyper[span]=debug", "info/a/b"]
        {
            assert!(parse_filter(wrong).is_err(), "{wrong}");
        }
    }
}

//! The two formats of a record: a line for people, a JSON object for machines. Both are always one line.

use super::timestamp::timestamp;
use crate::cli::escape::{Escaped, Escapes, escape};
use log::kv::{Error, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::SystemTime;

/// `2026-01-02T03:04:05.678Z INFO  weauth::http message`. The pairs are left out: the message has the same for people.
pub(super) fn text<W: Write>(out: &mut W, now: SystemTime, record: &Record<'_>) -> io::Result<()> {
    out.write_all(&timestamp(now))?;
    let level: &[u8] = match record.level() {
        Level::Error => b" ERROR ",
        Level::Warn => b" WARN  ",
        Level::Info => b" INFO  ",
        Level::Debug => b" DEBUG ",
        Level::Trace => b" TRACE ",
    };
    out.write_all(level)?;
    escape(out, record.target(), Escapes::Controls)?;
    out.write_all(b" ")?;
    message(out, record, Escapes::Controls)?;
    out.write_all(b"\n")
}

/// `{"time":…,"level":…,"target":…,"message":…,"key":value}`; a key that equals one of these four gets a `_`.
pub(super) fn json<W: Write>(out: &mut W, now: SystemTime, record: &Record<'_>) -> io::Result<()> {
    out.write_all(b"{\"time\":\"")?;
    out.write_all(&timestamp(now))?;
    out.write_all(b"\",\"level\":\"")?;
    out.write_all(record.level().as_str().as_bytes())?;
    out.write_all(b"\",\"target\":\"")?;
    escape(out, record.target(), Escapes::Json)?;
    out.write_all(b"\",\"message\":\"")?;
    message(out, record, Escapes::Json)?;
    out.write_all(b"\"")?;
    record.key_values().visit(&mut JsonPairs(out)).map_err(io::Error::other)?;
    out.write_all(b"}\n")
}

fn message<W: Write>(out: &mut W, record: &Record<'_>, escapes: Escapes) -> io::Result<()> {
    match record.args().as_str() {
        Some(text) => escape(out, text, escapes),
        None => Escaped(out, escapes).write_fmt(*record.args()).map_err(io::Error::other),
    }
}

struct JsonPairs<'a, W>(&'a mut W);

impl<'kvs, W: Write> VisitSource<'kvs> for JsonPairs<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.write_all(b",\"")?;
        escape(self.0, key.as_str(), Escapes::Json)?;
        let taken = matches!(key.as_str(), "time" | "level" | "target" | "message");
        self.0.write_all(if taken { b"_\":" } else { b"\":" })?;
        value.visit(JsonValue(self.0))
    }
}

struct JsonValue<'a, W>(&'a mut W);

impl<W: Write> VisitValue<'_> for JsonValue<'_, W> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        Ok(self.0.write_all(b"null")?)
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
        // JSON has neither infinities nor NaN.
        if value.is_finite() { Ok(write!(self.0, "{value:?}")?) } else { self.visit_null() }
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), Error> {
        quoted(self.0, value)
    }
}

fn quoted<W: Write>(out: &mut W, value: &str) -> Result<(), Error> {
    out.write_all(b"\"")?;
    escape(out, value, Escapes::Json)?;
    Ok(out.write_all(b"\"")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    type Form = fn(&mut Vec<u8>, SystemTime, &Record<'_>) -> io::Result<()>;

    fn line(form: Form, message: &str, pairs: &[(&str, Value<'_>)]) -> String {
        let mut out = Vec::new();
        let now = UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
        let mut record = Record::builder();
        let record = record.level(Level::Info).target("weauth::http").key_values(&pairs);
        form(&mut out, now, &record.args(format_args!("{message}")).build()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_people() {
        let pairs = [("status", Value::from(200))];
        let line = line(text, "GET /me 200", &pairs);
        assert_eq!(line, "2026-01-02T03:04:05.678Z INFO  weauth::http GET /me 200\n");
    }

    #[test]
    fn an_object_for_machines() {
        let none: Option<u8> = None;
        let pairs = [
            ("status", Value::from(200)),
            ("slow", Value::from(false)),
            ("took", Value::from(1.5)),
            ("whole", Value::from(12.0)),
            ("user", Value::from("小店\n")),
            ("message", Value::from("x")),
            ("shown", Value::from_debug(&none)),
        ];
        assert_eq!(
            line(json, "say \"hi\"", &pairs),
            "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"INFO\",\"target\":\"weauth::http\",\
             \"message\":\"say \\\"hi\\\"\",\"status\":200,\"slow\":false,\"took\":1.5,\"whole\":12.0,\
             \"user\":\"小店\\n\",\"message_\":\"x\",\"shown\":\"None\"}\n"
        );
    }

    #[test]
    fn one_record_is_one_line_whatever_it_holds() {
        let nasty = "a\nb\r\u{1b}[2J\u{2028}\"}";
        let pairs = [(nasty, Value::from(nasty)), ("debug", Value::from_debug(&nasty))];
        for form in [text as Form, json as Form] {
            let line = line(form, nasty, &pairs);
            assert_eq!(line.chars().filter(|c| c.is_control() || *c == '\u{2028}').count(), 1, "{line:?}");
        }
        serde_json::from_str::<serde_json::Value>(&line(json, nasty, &pairs)).unwrap();
    }
}

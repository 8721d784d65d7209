//! How [`Time`] is stored: as a timestamp on Postgres, as text in diesel's format on SQLite,
//! `2026-01-02 03:04:05.678901`. The text is formatted and parsed by hand, at a tenth of the cost of chrono's
//! patterns: every login and refresh has several.

use super::DbConn;
use crate::domain::Time;
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use diesel::Connection;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::pg::Pg;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Timestamp;
use diesel::sqlite::Sqlite;

impl FromSql<Timestamp, Sqlite> for Time {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        match parse(value.read_text()) {
            Some(time) => Ok(time),
            // Somebody else may have written another format that diesel knows.
            None => <NaiveDateTime as FromSql<Timestamp, Sqlite>>::from_sql(value).map(Self::from_stored),
        }
    }
}

impl FromSql<Timestamp, Pg> for Time {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <NaiveDateTime as FromSql<Timestamp, Pg>>::from_sql(value).map(Self::from_stored)
    }
}

type Either = <DbConn as Connection>::Backend;

impl FromSql<Timestamp, Either> for Time {
    fn from_sql(value: <Either as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<Self, Timestamp>()
    }
}

impl<DB: Backend> Queryable<Timestamp, DB> for Time
where
    Self: FromSql<Timestamp, DB>,
{
    type Row = Self;

    fn build(time: Self) -> deserialize::Result<Self> {
        Ok(time)
    }
}

impl ToSql<Timestamp, Sqlite> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(text(*self));
        Ok(IsNull::No)
    }
}

impl ToSql<Timestamp, Pg> for Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamp, Pg>::to_sql(&self.to_stored(), &mut out.reborrow())
    }
}

fn text(time: Time) -> String {
    let stored = time.to_stored();
    let numbers = [stored.year() as u32, stored.month(), stored.day()];
    let clock = [stored.hour(), stored.minute(), stored.second()];
    let mut text = String::with_capacity(26);
    for (number, (width, before)) in numbers.into_iter().chain(clock).zip(PLACES) {
        text.push_str(before);
        push_digits(&mut text, number, width);
    }
    // As few fractional digits as are exact: none, three or six.
    match stored.nanosecond() / 1000 {
        0 => {}
        micros if micros % 1000 == 0 => {
            text.push('.');
            push_digits(&mut text, micros / 1000, 3);
        }
        micros => {
            text.push('.');
            push_digits(&mut text, micros, 6);
        }
    }
    text
}

/// The number of digits of each component, and the separator before it.
const PLACES: [(u32, &str); 6] = [(4, ""), (2, "-"), (2, "-"), (2, " "), (2, ":"), (2, ":")];

fn push_digits(text: &mut String, number: u32, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(b'0' + (number / 10_u32.pow(place) % 10) as u8));
    }
}

/// Parses the format of [`text`], with any number of fractional digits up to six.
fn parse(text: &str) -> Option<Time> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', ref clock @ ..] = text.as_bytes() else {
        return None;
    };
    let &[h1, h2, b':', n1, n2, b':', s1, s2, ref fraction @ ..] = clock else { return None };
    let micros = match fraction {
        [] => 0,
        [b'.', places @ ..] if (1..=6).contains(&places.len()) => {
            digits(places)? * 10_u32.pow(6 - places.len() as u32)
        }
        _ => return None,
    };
    let date =
        NaiveDate::from_ymd_opt(digits(&[y1, y2, y3, y4])? as i32, digits(&[m1, m2])?, digits(&[d1, d2])?)?;
    date.and_hms_micro_opt(digits(&[h1, h2])?, digits(&[n1, n2])?, digits(&[s1, s2])?, micros)
        .map(Time::from_stored)
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::dsl::sql;
    use diesel::{RunQueryDsl, SqliteConnection};

    #[test]
    fn a_time_is_written_as_diesel_writes_it_and_read_again() {
        for micros in
            [0, 1, 10, 1000, 123_000, 123_456, 999_999, 1_795_402_096_975_123, 1_800_000_000_000_000]
        {
            let time = Time::from_unix_micros(micros).unwrap();
            assert_eq!(text(time), time.to_stored().format("%F %T%.f").to_string());
            assert_eq!(parse(&text(time)), Some(time));
        }
    }

    #[test]
    fn a_time_may_have_been_written_by_somebody_else() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let mut read = |text: &str| {
            let time = diesel::select(sql::<Timestamp>(&format!("'{text}'"))).get_result::<Time>(&mut conn);
            time.map(Time::rfc3339)
        };
        assert_eq!(read("2026-01-02 03:04:05.5").unwrap(), "2026-01-02T03:04:05.500Z");
        assert_eq!(read("2026-01-02T03:04:05").unwrap(), "2026-01-02T03:04:05.000Z");
        for wrong in [
            "",
            "2026-01-02",
            "2026-13-02 03:04:05",
            "2026-01-02 03:04:05x",
            "2026-01-02 03:04:0é",
            "20é6-01-02 03:04:05",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

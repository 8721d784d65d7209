//! Times in diesel's format for SQLite, `2026-01-02 03:04:05.678901`, formatted and parsed by hand at a tenth
//! of the cost of chrono's patterns.

use crate::domain::Time;
use crate::store::StoreError;
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Formats a time as stored.
pub(super) fn text(time: Time) -> String {
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

/// Parses a stored time. Leaves other formats, which somebody else may have written, to chrono.
pub(super) fn parse(text: &str) -> Result<Time, StoreError> {
    let exact = || {
        // ASCII can be sliced at any byte.
        let text = Some(text).filter(|text| text.is_ascii())?;
        let (date, clock) = (text.get(..10)?, text.get(11..19)?);
        let date = NaiveDate::from_ymd_opt(
            i32::try_from(digits(&date[..4])?).ok()?,
            digits(&date[5..7])?,
            digits(&date[8..])?,
        )?;
        let micros = match text.get(19..)? {
            "" => 0,
            rest => {
                let places = rest.strip_prefix('.').filter(|places| (1..=6).contains(&places.len()))?;
                digits(places)? * 10_u32.pow(6 - places.len() as u32)
            }
        };
        let separators = [&text[4..5], &text[7..8], &text[10..11], &text[13..14], &text[16..17]];
        let stored = date.and_hms_micro_opt(
            digits(&clock[..2])?,
            digits(&clock[3..5])?,
            digits(&clock[6..])?,
            micros,
        )?;
        (separators == ["-", "-", " ", ":", ":"]).then_some(stored)
    };
    let loose = || NaiveDateTime::parse_from_str(&text.replace('T', " "), "%F %T%.f").ok();
    let stored = exact().or_else(loose);
    stored.map(Time::from_stored).ok_or_else(|| StoreError::Refused(format!("`{text}` is not a time")))
}

fn digits(text: &str) -> Option<u32> {
    text.bytes()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_diesel_writes_it_and_read_again() {
        for micros in
            [0, 1, 10, 1000, 123_000, 123_456, 999_999, 1_795_402_096_975_123, 1_800_000_000_000_000]
        {
            let time = Time::from_unix_micros(micros).unwrap();
            assert_eq!(text(time), time.to_stored().format("%F %T%.f").to_string());
            assert_eq!(parse(&text(time)), Ok(time));
        }
    }

    #[test]
    fn a_time_may_have_been_written_by_somebody_else() {
        let read = |text: &str| parse(text).map(Time::rfc3339);
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
            assert!(matches!(parse(wrong), Err(StoreError::Refused(_))), "{wrong}");
        }
    }
}

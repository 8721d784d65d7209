//! Time, always UTC and never finer than a microsecond, so that both databases give back what they were given.

use chrono::{DateTime, NaiveDateTime, SecondsFormat};
use std::time::{SystemTime, UNIX_EPOCH};

const MICROS: i64 = 1_000_000;

/// A moment in UTC with microseconds, counted from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The moment `seconds` after 1970-01-01T00:00:00Z.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// Takes a stored UTC timestamp.
    pub fn from_stored(stored: NaiveDateTime) -> Self {
        Self(stored.and_utc().timestamp_micros())
    }

    /// The form in which it is stored.
    pub fn to_stored(self) -> NaiveDateTime {
        // Only moments some 260,000 years away have no such form.
        DateTime::from_timestamp_micros(self.0).unwrap_or_default().naive_utc()
    }

    /// Whole seconds since 1970 (RFC 7519 `NumericDate`).
    pub fn unix(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Microseconds since 1970.
    pub fn unix_micros(self) -> i64 {
        self.0
    }

    /// This moment and `seconds` more (or less); at the ends of time it stays there.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS)))
    }

    /// RFC 3339 with milliseconds, as every answer shows it.
    pub fn rfc3339(self) -> String {
        self.to_stored().and_utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// Tells the time. One is made at start and handed to whoever needs it, so that a test can own time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    offset_seconds: i64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The machine's clock, `seconds` ahead (or behind).
    pub fn shifted(seconds: i64) -> Self {
        Self { offset_seconds: seconds }
    }

    /// The present moment, cut to microseconds.
    pub fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).plus_seconds(self.offset_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_with_milliseconds_and_survives_storage() {
        let time = Time::from_unix(1_700_000_000);
        assert_eq!(time.rfc3339(), "2023-11-14T22:13:20.000Z");
        assert_eq!(Time::from_stored(time.to_stored()), time);
        assert!(time.plus_seconds(i64::MAX) > time);
    }
}

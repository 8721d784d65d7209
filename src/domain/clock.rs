//! Time: always UTC, with microsecond precision, so that both databases return exactly what was stored.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MICROS: i64 = 1_000_000;

/// A UTC timestamp in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// A text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a time: give it like `2026-11-23T08:30:00Z`, or a date like `2026-11-23`, which begins at 00:00 UTC"
)]
pub struct InvalidTime;

impl Time {
    /// Parses RFC 3339 with any offset, or a date, which means its first moment in UTC.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let time = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(date) => Self::from_stored(date.and_time(NaiveTime::MIN)),
            Err(_) => Self(DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?.timestamp_micros()),
        };
        // Four-digit years only, as in RFC 3339: where times are stored as text, year 10000 would sort before 9999.
        if (0..=9999).contains(&time.to_stored().year()) { Ok(time) } else { Err(InvalidTime) }
    }

    /// The time `micros` microseconds after 1970-01-01T00:00:00Z; `None` if out of the calendar's range.
    pub(crate) fn from_unix_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(|_| Self(micros))
    }

    /// The time `seconds` after 1970-01-01T00:00:00Z.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// Converts a stored UTC timestamp.
    pub(crate) fn from_stored(stored: NaiveDateTime) -> Self {
        Self(stored.and_utc().timestamp_micros())
    }

    /// Converts to the stored form.
    pub(crate) fn to_stored(self) -> NaiveDateTime {
        // Fails only for times some 260,000 years away.
        DateTime::from_timestamp_micros(self.0).unwrap_or_default().naive_utc()
    }

    /// Whole seconds since 1970 (RFC 7519 `NumericDate`).
    pub fn unix(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// Microseconds since 1970.
    pub(crate) fn unix_micros(self) -> i64 {
        self.0
    }

    /// This time plus a duration, saturating.
    pub(crate) fn plus(self, more: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(more.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This time plus `seconds`, which may be negative, saturating.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS)))
    }

    /// RFC 3339 with milliseconds, the format of every response.
    pub fn rfc3339(self) -> String {
        self.to_stored().and_utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// A source of the current time. One is created at start and passed to its users: a clone is the same clock.
///
/// It shows the machine's time until it is told of another clock, which it then keeps to: what passes is measured by the
/// monotonic clock, so that setting the machine's clock changes nothing here.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
struct Source {
    /// How far the machine's clock is shown ahead of itself, in seconds, for tests.
    shift: i64,
    started: Instant,
    /// What the machine's clock showed at `started`, in microseconds since 1970, as far as it is believed.
    machine_then: AtomicI64,
    /// Microseconds after `started`: since when the machine's clock has been ahead of that; [`FREE`] if it is not.
    ahead_since: AtomicI64,
    /// The time at `started`, in microseconds since 1970, by the clock that is kept to; [`FREE`] if there is none.
    anchor: AtomicI64,
    /// How far that may be off, in microseconds.
    uncertainty: AtomicI64,
}

const FREE: i64 = i64::MIN;

/// Further ahead than this of where it should be, in microseconds, the machine's clock has jumped.
const JUMP: i64 = 60 * MICROS;

/// A jump that has lasted for so many microseconds is believed: the clock was wrong before it.
const BELIEVED_AFTER: i64 = 86_400 * MICROS;

/// Beyond what the readings explain, a difference up to this, in microseconds, moves no clock: time should not jump for
/// nothing.
const NEGLIGIBLE: i64 = MICROS / 100;

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::shifted(0)
    }

    /// The machine's clock, ahead by `seconds`, or behind if negative.
    pub fn shifted(seconds: i64) -> Self {
        let (anchor, uncertainty) = (AtomicI64::new(FREE), AtomicI64::new(0));
        let (machine_then, ahead_since) = (AtomicI64::new(machine(seconds).0), AtomicI64::new(FREE));
        let started = Instant::now();
        Self(Arc::new(Source { shift: seconds, started, machine_then, ahead_since, anchor, uncertainty }))
    }

    /// The current time, truncated to microseconds.
    pub fn now(&self) -> Time {
        match self.0.anchor.load(Ordering::Relaxed) {
            FREE => self.machine(),
            anchor => Time(anchor).plus(self.0.started.elapsed()),
        }
    }

    /// The time of the machine, whichever clock this one keeps to.
    pub fn machine(&self) -> Time {
        machine(self.0.shift)
    }

    /// `shared`, the time of all nodes, or this machine's where that is earlier: what is over by then may be destroyed. A
    /// clock that jumps ahead, the database's or this machine's, destroys nothing that is needed again when it is set
    /// right. A day later it is believed.
    pub fn surely_past(&self, shared: Time) -> Time {
        shared.min(self.without_jump(self.machine(), self.0.started.elapsed()))
    }

    /// The machine's time, or an earlier one if its clock has jumped ahead. `passed` is the time since the start.
    fn without_jump(&self, machine: Time, passed: Duration) -> Time {
        let Source { machine_then, ahead_since, .. } = &*self.0;
        let steady = Time(machine_then.load(Ordering::Relaxed)).plus(passed);
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        if machine.0.saturating_sub(steady.0) <= JUMP {
            ahead_since.store(FREE, Ordering::Relaxed);
            return machine;
        }
        let since = match ahead_since.load(Ordering::Relaxed) {
            FREE => passed,
            since => since,
        };
        if passed.saturating_sub(since) < BELIEVED_AFTER {
            ahead_since.store(since, Ordering::Relaxed);
            return steady;
        }
        machine_then.store(machine.0.saturating_sub(passed), Ordering::Relaxed);
        machine
    }

    /// Keeps to another clock, which showed `theirs` between two moments. A reading that took long moves this one only as
    /// far as it is sure of.
    pub fn keep_to(&self, theirs: Time, before: Instant, after: Instant) {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let uncertainty = micros(after.saturating_duration_since(before)) / 2;
        let passed = micros(before.saturating_duration_since(self.0.started)).saturating_add(uncertainty);
        let anchor = theirs.0.saturating_sub(passed);
        let kept = self.0.anchor.load(Ordering::Relaxed);
        let kept_uncertainty = self.0.uncertainty.load(Ordering::Relaxed);
        let explained = uncertainty.saturating_add(kept_uncertainty).saturating_add(NEGLIGIBLE);
        let contradicts = anchor.abs_diff(kept) > explained.unsigned_abs();
        if kept == FREE || contradicts || uncertainty < kept_uncertainty / 2 {
            self.0.anchor.store(anchor, Ordering::Relaxed);
            self.0.uncertainty.store(uncertainty, Ordering::Relaxed);
        }
    }
}

fn machine(shift: i64) -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).plus_seconds(shift)
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

    #[test]
    fn a_clock_keeps_to_another_one_and_not_to_every_hiccup_of_it() {
        let (clock, real) = (Clock::shifted(-3600), Clock::system());
        let same = clock.clone();
        let is_off_by = |seconds: i64| (same.now().0 - real.now().0 - seconds * MICROS).abs() < MICROS / 2;
        assert!(is_off_by(-3600));
        let (at, second) = (Instant::now(), Duration::from_secs(1));
        clock.keep_to(real.now().plus_seconds(3), at, at + 6 * second);
        assert!(is_off_by(0) && real.now().0 - same.machine().0 > 3599 * MICROS, "it was read half-way");
        clock.keep_to(real.now().plus_seconds(7), at, at + 8 * second);
        assert!(is_off_by(0), "a reading that took long explains the difference");
        clock.keep_to(real.now().plus_seconds(2), at, at);
        assert!(is_off_by(2), "one that took no time is sure");
        clock.keep_to(real.now().plus_seconds(-60), at, at + second);
        assert!(!is_off_by(2) && same.now() < real.now(), "the other clock was set");
    }

    #[test]
    fn nothing_is_surely_past_by_one_clock_alone() {
        let real = Clock::system().now();
        for (ahead, past) in [(3600, 0), (-3600, -3600)] {
            let off = Clock::shifted(ahead).surely_past(real).0 - real.0 - past * MICROS;
            assert!(off.abs() < MICROS, "{ahead}: {off}");
        }
        let mut jumped = Clock::system();
        Arc::get_mut(&mut jumped.0).unwrap().shift = 3600;
        let off = jumped.surely_past(jumped.machine()).0 - real.0;
        assert!(off.abs() < MICROS, "the only clock jumped: {off}");
    }

    #[test]
    fn a_jump_ahead_is_believed_after_a_day() {
        let clock = Clock::system();
        let (start, hour) = (clock.machine(), 3600);
        let at = |passed: i64, ahead: i64| {
            let machine = start.plus_seconds(passed + ahead);
            let time = clock.without_jump(machine, Duration::from_secs(passed.unsigned_abs()));
            (time.0 - start.0 + MICROS / 2).div_euclid(MICROS) - passed
        };
        assert_eq!([at(0, 0), at(10, 1), at(20, -hour)], [0, 1, -hour], "as the machine says");
        assert_eq!([at(30, hour), at(24 * hour, hour), at(24 * hour + 29, hour)], [0; 3], "it jumped");
        assert_eq!([at(24 * hour + 30, hour), at(24 * hour + 31, 0)], [hour, 0]);
        assert_eq!(
            [at(25 * hour, 3 * hour), at(26 * hour, hour), at(48 * hour, 3 * hour)],
            [hour; 3],
            "set right in between"
        );
        assert_eq!(at(50 * hour, 3 * hour), hour, "so the day begins anew");
    }

    #[test]
    fn a_time_is_read_with_its_offset_and_a_date_begins_at_midnight() {
        let time = Time::parse("2026-11-23T08:30:00+08:00").unwrap();
        assert_eq!(time.rfc3339(), "2026-11-23T00:30:00.000Z");
        assert_eq!(Time::parse("2026-11-23").unwrap().rfc3339(), "2026-11-23T00:00:00.000Z");
        for wrong in
            ["", "2026-11", "2026-13-01", "2026-11-23T08:30", "yesterday", "2026-11-23 ", "+10000-01-01"]
        {
            assert_eq!(Time::parse(wrong), Err(InvalidTime), "{wrong}");
        }
    }
}

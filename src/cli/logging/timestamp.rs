//! Formats timestamps as RFC 3339 in UTC with milliseconds, by hand: at a record every 20 µs, a general formatter
//! is too slow.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-01-02T03:04:05.678Z`.
pub(super) type Timestamp = [u8; 24];

thread_local! {
    /// The second that this thread formatted last; most records fall into the same one.
    static LATEST: Cell<(u64, Timestamp)> = const { Cell::new((0, *b"1970-01-01T00:00:00.000Z")) };
}

/// Formats a time between 1970 and 9999; an earlier one is shown as 1970.
pub(super) fn timestamp(now: SystemTime) -> Timestamp {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (latest, text) = LATEST.get();
    let mut text = if latest == since.as_secs() { text } else { to_the_second(since.as_secs()) };
    LATEST.set((since.as_secs(), text));
    put(&mut text[20..23], since.subsec_millis());
    text
}

fn to_the_second(seconds: u64) -> Timestamp {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = (seconds % 86_400) as u32;
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], of_day / 3600);
    put(&mut text[14..16], of_day / 60 % 60);
    put(&mut text[17..19], of_day % 60);
    text
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`). Its years begin in
/// March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Fills `place` with a number's last digits.
fn put(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn shown(millis: u64) -> String {
        String::from_utf8(timestamp(UNIX_EPOCH + Duration::from_millis(millis)).to_vec()).unwrap()
    }

    #[test]
    fn moments_are_shown_as_chrono_shows_them() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
        let step = 86_400_000 * 13 + 3_723_004;
        for millis in (0..100_000_u64).map(|i| i * step).take_while(|millis| *millis < 253_402_300_800_000) {
            let expected = chrono::DateTime::from_timestamp_millis(millis as i64).unwrap();
            assert_eq!(shown(millis), expected.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        }
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), *b"1970-01-01T00:00:00.000Z");
    }
}

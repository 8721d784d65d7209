//! A rate limit: so many times a minute, with bursts of up to that many.

use super::Time;

const MINUTE: i64 = 60_000_000;

/// A number of times per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds of the minute that each use takes.
    each: i64,
}

impl Rate {
    /// `None` for 0, which is no rate.
    pub fn per_minute(times: u32) -> Option<Self> {
        (times > 0).then(|| Self { each: (MINUTE / i64::from(times)).max(1) })
    }

    /// Takes one use, in the manner of GCRA.
    ///
    /// `used_until` is the time up to which earlier uses have consumed the rate; in the past means unused.
    /// Returns its new value, or the seconds to wait for the next use. More than two minutes ahead it is only if the clock
    /// was set back, and counts as unused: a clock that was set makes nobody wait for longer.
    pub fn take(self, used_until: Time, now: Time) -> Result<Time, u32> {
        let now = now.unix_micros();
        let ahead = used_until.unix_micros() - now;
        let used = if ahead > 2 * MINUTE { 0 } else { ahead.max(0) } + self.each;
        let over = used - MINUTE;
        if over > 0 {
            return Err(u32::try_from(over.unsigned_abs().div_ceil(1_000_000)).unwrap_or(60));
        }
        Time::from_unix_micros(now + used).ok_or(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: Rate, used_until: &mut Time, now: Time, times: u32) -> u32 {
        let take = |_: &u32| rate.take(*used_until, now).map(|until| *used_until = until).is_ok();
        (0..times).take_while(take).count() as u32
    }

    #[test]
    fn so_many_at_once_and_then_evenly_over_the_minute() {
        let (rate, now) = (Rate::per_minute(6).unwrap(), Time::from_unix(1000));
        let mut used_until = Time::from_unix(0);
        assert_eq!(taken(rate, &mut used_until, now, 100), 6);
        assert_eq!(rate.take(used_until, now), Err(10));
        assert_eq!(rate.take(used_until, now.plus_seconds(9)), Err(1));
        assert_eq!(taken(rate, &mut used_until, now.plus_seconds(10), 100), 1);
        assert_eq!(taken(rate, &mut used_until, now.plus_seconds(35), 100), 2);
        assert_eq!(taken(rate, &mut used_until, now.plus_seconds(1000), 100), 6);
        assert_eq!(Rate::per_minute(0), None);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_for_longer_than_two_minutes() {
        let (rate, now) = (Rate::per_minute(1).unwrap(), Time::from_unix(100_000));
        let used_until = rate.take(Time::from_unix(0), now).unwrap();
        let back = |seconds: i64| rate.take(used_until, now.plus_seconds(-seconds)).err();
        assert_eq!(
            [back(0), back(1), back(60), back(61), back(100_000)],
            [Some(60), Some(61), Some(120), None, None]
        );
    }
}

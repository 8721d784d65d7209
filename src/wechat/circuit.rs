//! A circuit breaker per app. When WeChat does not respond at all, or refuses one call after the other, callers fail at
//! once, and a single caller tries WeChat again a little later.

use super::WeChatError;
use std::time::{Duration, Instant};

/// A kind of failure that says more about WeChat or this app than about one login.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    /// How many of them in a row open the circuit.
    opens_after: u32,
    /// How long the circuit then stays open before one call may try.
    pause: Duration,
    /// The answer to calls that are not made.
    answer: WeChatError,
}

impl Trouble {
    fn of(error: &WeChatError) -> Option<Self> {
        let trouble = |opens_after, seconds, answer| {
            Some(Self { opens_after, pause: Duration::from_secs(seconds), answer })
        };
        match error {
            WeChatError::Timeout | WeChatError::Unavailable => trouble(50, 2, WeChatError::Unavailable),
            // Quotas count by the minute. Some count for one user alone, who must not lock out the others for long.
            WeChatError::RateLimited(_) => trouble(20, 5, error.clone()),
            // WeChat locks out whoever goes on calling with a wrong secret.
            WeChatError::Misconfigured(_) => trouble(20, 30, error.clone()),
            _ => None,
        }
    }
}

/// Counts consecutive failures of one kind.
#[derive(Debug, Default)]
pub struct Circuit {
    trouble: Option<Trouble>,
    failures: u32,
    /// When the next call may be made; `None` while the circuit is closed.
    next_try_at: Option<Instant>,
}

impl Circuit {
    /// Lets a call through, or answers it. While the circuit is open, one call is let through after each pause.
    pub fn admit(&mut self, now: Instant) -> Result<(), WeChatError> {
        let (Some(until), Some(trouble)) = (self.next_try_at, &self.trouble) else { return Ok(()) };
        if now < until {
            return Err(trouble.answer.clone());
        }
        self.next_try_at = Some(now + trouble.pause);
        Ok(())
    }

    /// Records the failure of a call, or its success. Anything but trouble of the same kind closes the circuit.
    /// Returns whether this result opened it.
    pub fn record(&mut self, failure: Option<&WeChatError>, now: Instant) -> bool {
        let trouble = failure.and_then(Trouble::of);
        if trouble.is_none() || trouble != self.trouble {
            *self = Self { trouble, ..Self::default() };
        }
        let Some(trouble) = &self.trouble else { return false };
        self.failures = self.failures.saturating_add(1);
        let was_closed = self.next_try_at.is_none();
        if self.failures >= trouble.opens_after {
            self.next_try_at = Some(now + trouble.pause);
        }
        was_closed && self.next_try_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_many_failures_and_lets_one_call_try() {
        for (failure, answer, count, pause) in [
            (WeChatError::Timeout, WeChatError::Unavailable, 50, 2),
            (WeChatError::RateLimited(45011), WeChatError::RateLimited(45011), 20, 5),
            (WeChatError::Misconfigured(40125), WeChatError::Misconfigured(40125), 20, 30),
        ] {
            let mut circuit = Circuit::default();
            let start = Instant::now();
            let failed = Some(&failure);
            for number in 1..=count {
                assert_eq!(circuit.admit(start), Ok(()));
                assert_eq!(circuit.record(failed, start), number == count);
            }
            assert_eq!(circuit.admit(start), Err(answer.clone()));
            let later = start + Duration::from_secs(pause);
            assert_eq!((circuit.admit(later), circuit.admit(later)), (Ok(()), Err(answer.clone())));
            assert!(!circuit.record(failed, later), "it was open");
            circuit.record(Some(&WeChatError::CodeInvalid), later);
            assert_eq!((circuit.admit(later), circuit.admit(later)), (Ok(()), Ok(())));
        }
    }

    #[test]
    fn failures_of_different_kinds_are_not_added_up() {
        let mut circuit = Circuit::default();
        let start = Instant::now();
        for number in 0..200 {
            assert_eq!(circuit.admit(start), Ok(()));
            circuit.record(Some(&WeChatError::Misconfigured(40013 + number % 2)), start);
        }
    }
}

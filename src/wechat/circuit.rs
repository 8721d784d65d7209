//! A circuit breaker per app. When WeChat does not respond at all, callers fail at once instead of after the
//! whole deadline, and a single caller tries WeChat again a little later.

use super::WeChatError;
use std::time::{Duration, Instant};

/// Number of consecutive calls without a response that open the circuit.
const FAILURES_TO_OPEN: u32 = 50;

/// How long it stays open before one call may try.
const OPEN_FOR: Duration = Duration::from_secs(2);

/// Counts consecutive calls without a response.
#[derive(Debug, Default)]
pub struct Circuit {
    failures: u32,
    next_try_at: Option<Instant>,
}

impl Circuit {
    /// May a call be made now? While the circuit is open, one may after each pause.
    pub fn admits(&mut self, now: Instant) -> bool {
        match self.next_try_at {
            Some(until) if now < until => false,
            Some(_) => {
                self.next_try_at = Some(now + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    /// Records the result of a call. Any response of WeChat, even an error, closes the circuit.
    pub fn record<T>(&mut self, result: &Result<T, WeChatError>, now: Instant) {
        match result {
            Err(WeChatError::Timeout | WeChatError::Unavailable) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_TO_OPEN {
                    self.next_try_at = Some(now + OPEN_FOR);
                }
            }
            Err(WeChatError::Busy | WeChatError::Crashed) => {}
            _ => *self = Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_many_failures_and_lets_one_call_try() {
        let mut circuit = Circuit::default();
        let start = Instant::now();
        for _ in 0..FAILURES_TO_OPEN {
            assert!(circuit.admits(start));
            circuit.record::<()>(&Err(WeChatError::Timeout), start);
        }
        assert!(!circuit.admits(start));
        let later = start + OPEN_FOR;
        assert!(circuit.admits(later));
        assert!(!circuit.admits(later));
        circuit.record::<()>(&Err(WeChatError::CodeInvalid), later);
        assert!(circuit.admits(later));
    }
}

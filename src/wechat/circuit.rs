//! A circuit for each app: when WeChat does not answer at all, callers are told at once instead of after
//! the whole deadline, and WeChat is asked again a little later by a single caller.

use super::WeChatError;
use std::time::{Duration, Instant};

/// So many calls in a row without any answer open the circuit.
const FAILURES_TO_OPEN: u32 = 50;

/// How long it stays open before one call may try.
const OPEN_FOR: Duration = Duration::from_secs(2);

/// Counts the calls that got no answer.
#[derive(Debug, Default)]
pub struct Circuit {
    failures: u32,
    next_try_at: Option<Instant>,
}

impl Circuit {
    /// May a call be made now? While the circuit is open: one, each time the pause is over.
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

    /// Notes how a call went. Any answer of WeChat's, even a refusal, closes the circuit.
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

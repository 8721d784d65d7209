//! The rules of refresh token rotation: the current token is valid, one that was replaced within the grace
//! period is still answered, and any other token means that somebody else has used it.

use super::{Generation, Time};

/// The refresh token state of a session's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshState {
    /// The current generation.
    pub generation: Generation,
    /// When it replaced the one before it.
    pub rotated_at: Time,
    /// When the session expires, unless it is used.
    pub expires_at: Time,
    /// The most recent burst of refreshes.
    pub burst: Option<Burst>,
}

/// Refreshes within the grace period of the first one, as when a mini-program launches. As none of them
/// replaced its token earlier than the first, the first one's time is a safe bound for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// The first generation that was replaced.
    pub generation: Generation,
    /// When it was replaced.
    pub began_at: Time,
}

/// The verdict on a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the current one.
    Current,
    /// It was replaced within the grace period: a mini-program sends many requests at launch.
    InGrace,
    /// It was replaced earlier, or was never issued.
    Reused,
    /// The session has expired.
    Expired,
}

impl RefreshState {
    /// Judges the token of generation `presented` at a time. `grace` is the number of seconds for which a
    /// replaced token is still answered.
    pub fn judge(&self, presented: Generation, at: Time, grace: i64) -> Verdict {
        if self.expires_at <= at {
            Verdict::Expired
        } else if presented == self.generation {
            Verdict::Current
        } else if self.grace_ends(presented, grace).is_some_and(|end| end >= at) {
            Verdict::InGrace
        } else {
            Verdict::Reused
        }
    }

    /// The end of the grace period of a replaced generation; `None` if it was never issued, or was replaced
    /// before the current burst.
    pub fn grace_ends(&self, presented: Generation, grace: i64) -> Option<Time> {
        let replaced_at = if presented.checked_add(1) == Some(self.generation) {
            self.rotated_at
        } else {
            self.burst.filter(|burst| (burst.generation..self.generation).contains(&presented))?.began_at
        };
        Some(replaced_at.plus_seconds(grace))
    }

    /// Rotates to the next generation, valid from `at` until `expires_at`.
    ///
    /// The token arrived at `presented_at`; `at` is later if the database took its time. Whether the burst continues
    /// depends on the arrival, as does [`judge`](Self::judge), so tokens that arrived together are judged alike.
    pub fn turn(&mut self, presented_at: Time, at: Time, expires_at: Time, grace: i64) {
        let goes_on = self.burst.is_some_and(|burst| burst.began_at.plus_seconds(grace) >= presented_at);
        if !goes_on {
            self.burst = Some(Burst { generation: self.generation, began_at: at });
        }
        self.generation = self.generation.saturating_add(1);
        self.rotated_at = at;
        self.expires_at = expires_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRACE: i64 = 10;

    fn state(generation: Generation, at: Time) -> RefreshState {
        let expires_at = at.plus_seconds(1_000_000);
        RefreshState { generation, rotated_at: at, expires_at, burst: None }
    }

    #[test]
    fn the_present_one_is_good_the_one_before_for_the_grace_and_no_other() {
        let (at, later) = (Time::from_unix(1000), Time::from_unix(5000));
        let mut state = state(2, Time::from_unix(500));
        state.turn(at, at, later, GRACE);
        let verdict = |presented, seconds| state.judge(presented, at.plus_seconds(seconds), GRACE);
        assert_eq!(
            [verdict(3, 0), verdict(3, 3999), verdict(3, 4000)],
            [Verdict::Current, Verdict::Current, Verdict::Expired]
        );
        assert_eq!([verdict(2, 0), verdict(2, 10), verdict(2, 11)], {
            [Verdict::InGrace, Verdict::InGrace, Verdict::Reused]
        });
        for other in [1, 4, 0, -1, Generation::MAX, Generation::MIN] {
            assert_eq!(verdict(other, 0), Verdict::Reused, "{other}");
        }
    }

    #[test]
    fn a_turn_that_had_to_wait_ends_no_burst_for_who_arrived_with_it() {
        let (began, later) = (Time::from_unix(1000), Time::from_unix(5000));
        let mut state = state(1, Time::from_unix(500));
        state.turn(began, began, later, GRACE);
        let (arrived, held) = (began.plus_seconds(GRACE), began.plus_seconds(GRACE + 3));
        state.turn(arrived, held, later, GRACE);
        assert_eq!(state.judge(1, arrived, GRACE), Verdict::InGrace);
        assert_eq!(state.judge(2, held.plus_seconds(GRACE), GRACE), Verdict::InGrace);
        assert_eq!(state.judge(1, arrived.plus_seconds(1), GRACE), Verdict::Reused);
    }

    proptest! {
        /// For any times of rotation: a token replaced longer ago than the grace period is never accepted,
        /// and no token is rejected within the burst of one launch.
        #[test]
        fn a_burst_forgives_whoever_is_late_and_nothing_older(pauses in prop::collection::vec(0_i64..8, 1..12)) {
            let mut at = Time::from_unix(1000);
            let mut state = state(1, at);
            let mut replaced_at = Vec::new();
            for pause in pauses {
                at = at.plus_seconds(pause);
                state.turn(at, at, at.plus_seconds(1_000_000), GRACE);
                replaced_at.push(at);
                for (index, replaced) in replaced_at.iter().enumerate() {
                    let verdict = state.judge(index as Generation + 1, at, GRACE);
                    if replaced.plus_seconds(GRACE) < at {
                        prop_assert_eq!(verdict, Verdict::Reused);
                    }
                    if replaced_at[0].plus_seconds(GRACE) >= at {
                        prop_assert_eq!(verdict, Verdict::InGrace);
                    }
                }
            }
        }
    }
}

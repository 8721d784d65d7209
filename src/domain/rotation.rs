//! The rule by which refresh tokens turn: the present one is good, one that was replaced a moment ago still
//! answers, and whoever comes with any other holds what somebody else has used.

use super::{Generation, Time};

/// What a session's row says of its refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshState {
    /// The generation that is good now.
    pub generation: Generation,
    /// When it replaced the one before it.
    pub rotated_at: Time,
    /// When the session ends, unless it is used.
    pub expires_at: Time,
    /// The refreshes of the last moment.
    pub burst: Option<Burst>,
}

/// Refreshes that come within the grace of the first one, as when a mini-program launches: all that were replaced
/// in it were replaced no longer ago than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// The first generation that was replaced.
    pub generation: Generation,
    /// When it was replaced.
    pub began_at: Time,
}

/// What a refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It is the present one.
    Present,
    /// It was replaced just now: a mini-program fires many requests at launch.
    JustReplaced,
    /// It was replaced long ago, or was never given out.
    Reused,
    /// The session's time is over.
    Over,
}

impl RefreshState {
    /// What the token of a generation is worth at a moment; `grace`: the seconds for which one that was just
    /// replaced still answers.
    pub fn worth(&self, presented: Generation, at: Time, grace: i64) -> Worth {
        if self.expires_at <= at {
            Worth::Over
        } else if presented == self.generation {
            Worth::Present
        } else if self.grace_ends(presented, grace).is_some_and(|end| end >= at) {
            Worth::JustReplaced
        } else {
            Worth::Reused
        }
    }

    /// Until when the token of a generation that was replaced answers; `None` where it was never given out, or
    /// was replaced before anybody remembers.
    pub fn grace_ends(&self, presented: Generation, grace: i64) -> Option<Time> {
        let replaced_at = if presented.checked_add(1) == Some(self.generation) {
            self.rotated_at
        } else {
            self.burst.filter(|burst| (burst.generation..self.generation).contains(&presented))?.began_at
        };
        Some(replaced_at.plus_seconds(grace))
    }

    /// Turns, for a token that was presented at a moment, at another one, which is later where the database took its
    /// time: the next generation is good from then on, and until it expires. Whether a burst goes on is judged by the
    /// arrival, as the worth of those is who arrived together.
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
        let worth = |presented, seconds| state.worth(presented, at.plus_seconds(seconds), GRACE);
        assert_eq!(
            [worth(3, 0), worth(3, 3999), worth(3, 4000)],
            [Worth::Present, Worth::Present, Worth::Over]
        );
        assert_eq!([worth(2, 0), worth(2, 10), worth(2, 11)], {
            [Worth::JustReplaced, Worth::JustReplaced, Worth::Reused]
        });
        for other in [1, 4, 0, -1, Generation::MAX, Generation::MIN] {
            assert_eq!(worth(other, 0), Worth::Reused, "{other}");
        }
    }

    #[test]
    fn a_turn_that_had_to_wait_ends_no_burst_for_who_arrived_with_it() {
        let (began, later) = (Time::from_unix(1000), Time::from_unix(5000));
        let mut state = state(1, Time::from_unix(500));
        state.turn(began, began, later, GRACE);
        let (arrived, held) = (began.plus_seconds(GRACE), began.plus_seconds(GRACE + 3));
        state.turn(arrived, held, later, GRACE);
        assert_eq!(state.worth(1, arrived, GRACE), Worth::JustReplaced);
        assert_eq!(state.worth(2, held.plus_seconds(GRACE), GRACE), Worth::JustReplaced);
        assert_eq!(state.worth(1, arrived.plus_seconds(1), GRACE), Worth::Reused);
    }

    proptest! {
        /// However the turns lie in time: what was replaced longer ago than the grace is never taken again, and in
        /// the burst that one launch makes, nobody's token is refused.
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
                    let worth = state.worth(index as Generation + 1, at, GRACE);
                    if replaced.plus_seconds(GRACE) < at {
                        prop_assert_eq!(worth, Worth::Reused);
                    }
                    if replaced_at[0].plus_seconds(GRACE) >= at {
                        prop_assert_eq!(worth, Worth::JustReplaced);
                    }
                }
            }
        }
    }
}

//! The rule by which refresh tokens turn: the present one is good, the one before it for a moment longer, and
//! whoever comes with any other holds what somebody else has used.

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
        } else if presented.checked_add(1) == Some(self.generation) && self.grace_ends(grace) >= at {
            Worth::JustReplaced
        } else {
            Worth::Reused
        }
    }

    /// Until when the token before the present one answers.
    pub fn grace_ends(&self, grace: i64) -> Time {
        self.rotated_at.plus_seconds(grace)
    }

    /// Turns: the next generation is good from now on, and until then.
    pub fn turn(&mut self, at: Time, expires_at: Time) {
        self.generation = self.generation.saturating_add(1);
        self.rotated_at = at;
        self.expires_at = expires_at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_one_is_good_the_one_before_for_the_grace_and_no_other() {
        let (at, later) = (Time::from_unix(1000), Time::from_unix(5000));
        let mut state = RefreshState { generation: 2, rotated_at: Time::from_unix(500), expires_at: later };
        state.turn(at, later);
        let worth = |presented, seconds| state.worth(presented, at.plus_seconds(seconds), 10);
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
}

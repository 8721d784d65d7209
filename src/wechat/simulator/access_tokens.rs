//! The access tokens of one app: a stable and a legacy one, independent of each other, each with its
//! predecessor for the five minutes in which both work.

use super::wire::Errcode;
use crate::crypto::random_bytes;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::VecDeque;

/// Lifetime of a token, in seconds.
const LIFETIME: i64 = 7200;
/// How long the previous token still works, and how early a new one is issued, in seconds.
const OVERLAP: i64 = 300;
/// A forced refresh sooner than this after the last one does nothing. Seconds.
const FORCE_INTERVAL: i64 = 30;
const FORCED_PER_DAY: u32 = 20;
const STABLE_PER_MINUTE: u32 = 10_000;
const STABLE_PER_DAY: u32 = 500_000;
const LEGACY_PER_DAY: u32 = 2_000;
/// How many dead tokens are remembered, to distinguish "expired" from "not the latest".
const REMEMBERED_DEAD: usize = 32;

struct Token {
    text: String,
    ends_at: i64,
}

/// A token and its predecessor.
#[derive(Default)]
struct Line {
    current: Option<Token>,
    previous: Option<Token>,
}

/// Counts the calls in a minute or a day.
#[derive(Default)]
struct Quota {
    period: i64,
    used: u32,
}

/// The access tokens of one app.
#[derive(Default)]
pub(super) struct AccessTokens {
    stable: Line,
    legacy: Line,
    dead: VecDeque<(String, Errcode)>,
    last_forced: Option<i64>,
    forced_today: Quota,
    stable_minute: Quota,
    stable_today: Quota,
    legacy_today: Quota,
}

/// A token and its remaining lifetime in seconds.
pub(super) type Granted = (String, i64);

impl AccessTokens {
    /// `/cgi-bin/stable_token`.
    pub(super) fn stable(&mut self, force: bool, now: i64) -> Result<Granted, Errcode> {
        self.stable_minute.take(now / 60, STABLE_PER_MINUTE).ok_or(45011)?;
        self.stable_today.take(day_of(now), STABLE_PER_DAY).ok_or(45009)?;
        if force {
            return self.forced(now);
        }
        if let Some(token) = self.stable.current.as_ref().filter(|token| token.ends_at - now > OVERLAP) {
            return Ok((token.text.clone(), token.ends_at - now));
        }
        Ok(self.stable.succeed(now))
    }

    fn forced(&mut self, now: i64) -> Result<Granted, Errcode> {
        let too_soon = self.last_forced.is_some_and(|last| now - last < FORCE_INTERVAL);
        let current = self.stable.current.as_ref().filter(|token| token.ends_at > now);
        if let Some(token) = current.filter(|_| too_soon) {
            return Ok((token.text.clone(), token.ends_at - now));
        }
        self.forced_today.take(day_of(now), FORCED_PER_DAY).ok_or(45009)?;
        self.last_forced = Some(now);
        self.kill_stable(40001);
        Ok(self.stable.succeed(now))
    }

    /// `/cgi-bin/token`: every call issues a new token.
    pub(super) fn legacy(&mut self, now: i64) -> Result<Granted, Errcode> {
        self.legacy_today.take(day_of(now), LEGACY_PER_DAY).ok_or(45009)?;
        let outlived = self.legacy.previous.take().map(|token| token.text);
        self.bury(outlived, 40001);
        Ok(self.legacy.succeed(now))
    }

    /// Is this token valid? If not, the errcode says why; `None` means that this app does not know it.
    pub(super) fn check(&self, text: &str, now: i64) -> Option<Result<(), Errcode>> {
        let living =
            [&self.stable, &self.legacy].into_iter().flat_map(|line| [&line.current, &line.previous]);
        let found = living.flatten().find(|token| token.text == text);
        match found {
            Some(token) if token.ends_at > now => Some(Ok(())),
            Some(_) => Some(Err(42001)),
            None => self.dead.iter().find(|(dead, _)| dead == text).map(|(_, errcode)| Err(*errcode)),
        }
    }

    /// Replaces the tokens unexpectedly: the old ones get 40001.
    pub(super) fn rotate(&mut self, now: i64) {
        let had_legacy = self.legacy.current.is_some();
        self.kill(40001);
        self.stable.succeed(now);
        if had_legacy {
            self.legacy.succeed(now);
        }
    }

    /// Expires the tokens early: they get 42001.
    pub(super) fn expire(&mut self) {
        self.kill(42001);
    }

    fn kill(&mut self, errcode: Errcode) {
        self.kill_stable(errcode);
        let legacy = std::mem::take(&mut self.legacy);
        self.bury([legacy.current, legacy.previous].into_iter().flatten().map(|token| token.text), errcode);
    }

    fn kill_stable(&mut self, errcode: Errcode) {
        let stable = std::mem::take(&mut self.stable);
        self.bury([stable.current, stable.previous].into_iter().flatten().map(|token| token.text), errcode);
    }

    fn bury(&mut self, texts: impl IntoIterator<Item = String>, errcode: Errcode) {
        for text in texts {
            self.dead.push_front((text, errcode));
        }
        self.dead.truncate(REMEMBERED_DEAD);
    }
}

impl Line {
    /// Issues a new token; the old one stays valid for the overlap.
    fn succeed(&mut self, now: i64) -> Granted {
        let new = Token { text: new_token(), ends_at: now + LIFETIME };
        let granted = (new.text.clone(), LIFETIME);
        self.previous = self
            .current
            .replace(new)
            .map(|old| Token { ends_at: old.ends_at.min(now + OVERLAP), text: old.text });
        granted
    }
}

impl Quota {
    /// Counts a call; `None` if the period's quota is exhausted.
    fn take(&mut self, period: i64, limit: u32) -> Option<()> {
        if self.period != period {
            *self = Quota { period, used: 0 };
        }
        self.used += 1;
        (self.used <= limit).then_some(())
    }
}

/// Days begin at midnight in China.
fn day_of(now: i64) -> i64 {
    (now + 8 * 3600).div_euclid(86400)
}

/// One to three digits, an underscore, and 136 base64url characters.
fn new_token() -> String {
    let bytes = random_bytes::<102>();
    format!("{}_{}", u32::from(bytes[0]) % 100 + 1, URL_SAFE_NO_PAD.encode(bytes))
}

/// Does this text have the form of an access token?
pub(super) fn is_token_shaped(text: &str) -> bool {
    let shaped = |(digits, rest): (&str, &str)| {
        digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() && rest.len() >= 100
    };
    text.split_once('_').is_some_and(shaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_token_stays_until_five_minutes_are_left_and_then_both_work() {
        let mut tokens = AccessTokens::default();
        let (first, left) = tokens.stable(false, 0).unwrap();
        assert!(is_token_shaped(&first) && left == 7200);
        assert_eq!(tokens.stable(false, 6899).unwrap(), (first.clone(), 301));
        let (second, left) = tokens.stable(false, 6900).unwrap();
        assert!(second != first && left == 7200);
        assert_eq!(tokens.check(&first, 7199), Some(Ok(())));
        assert_eq!(tokens.check(&first, 7200), Some(Err(42001)));
        assert_eq!(tokens.check(&second, 7200), Some(Ok(())));
        assert_eq!(tokens.check("1_other", 7200), None);
    }

    #[test]
    fn forcing_kills_the_old_token_but_not_twice_in_half_a_minute_nor_often_a_day() {
        let mut tokens = AccessTokens::default();
        let (first, _) = tokens.stable(false, 0).unwrap();
        let (second, _) = tokens.stable(true, 1).unwrap();
        assert_eq!(tokens.check(&first, 1), Some(Err(40001)));
        assert_eq!(tokens.stable(true, 30).unwrap().0, second);
        for turn in 1..20 {
            assert!(tokens.stable(true, 1 + turn * 30).is_ok());
        }
        assert_eq!(tokens.stable(true, 3000), Err(45009));
    }

    #[test]
    fn each_legacy_call_makes_a_token_and_leaves_the_one_before_five_minutes() {
        let mut tokens = AccessTokens::default();
        let (stable, _) = tokens.stable(false, 0).unwrap();
        let (first, _) = tokens.legacy(0).unwrap();
        let (second, _) = tokens.legacy(10).unwrap();
        assert_eq!(tokens.check(&first, 309), Some(Ok(())));
        assert_eq!(tokens.check(&first, 310), Some(Err(42001)));
        tokens.legacy(20).unwrap();
        assert_eq!(tokens.check(&first, 30), Some(Err(40001)));
        assert_eq!(tokens.check(&second, 30), Some(Ok(())));
        assert_eq!(tokens.check(&stable, 30), Some(Ok(())));
    }

    #[test]
    fn tokens_can_be_turned_or_ended_behind_the_clients_back() {
        let mut tokens = AccessTokens::default();
        let (first, _) = tokens.stable(false, 0).unwrap();
        tokens.rotate(1);
        assert_eq!(tokens.check(&first, 1), Some(Err(40001)));
        let (second, left) = tokens.stable(false, 2).unwrap();
        assert_eq!(left, 7199);
        tokens.expire();
        assert_eq!(tokens.check(&second, 2), Some(Err(42001)));
        assert_ne!(tokens.stable(false, 3).unwrap().0, second);
    }
}

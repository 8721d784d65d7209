//! Tracks which codes are being signed in on this node right now. A request that overlaps with the one for which
//! WeChat exchanged the code is concurrent with it, however late its record is found. So is a request that
//! overlaps with such a concurrent one: of many requests sent together, the last may arrive after the first was
//! answered. Where another node exchanged the code, a request that its record shows to be concurrent stands for the
//! exchange here. Overlapping with refused requests does not count.

use crate::domain::CodeKey;
use crate::shared::lock;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// After this long, a new request is not concurrent with an exchange any more, whomever it overlaps with: a chain of
/// requests must not keep a code alive.
const CHAIN_LASTS: Duration = Duration::from_secs(5);

/// The sign-ins in progress for one code.
#[derive(Debug, Default)]
struct UnderWay {
    requests: usize,
    /// How many of them are concurrent with an exchange, or will be if there is one before they end.
    together: usize,
    /// How many had an exchange, including those that have ended since.
    exchanges: usize,
    /// When the first of them had it.
    exchanged_at: Option<Instant>,
    /// The requests, in their order, of which it is not known yet whether they are concurrent with an exchange.
    undecided: BTreeSet<u64>,
    /// The number of the next request.
    next: u64,
}

/// All sign-ins in progress.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlaps(Arc<Mutex<HashMap<CodeKey, UnderWay>>>);

/// One sign-in in progress; ends when dropped.
pub(super) struct Overlap {
    all: Overlaps,
    key: CodeKey,
    /// Whether every request concurrent with the exchange had ended when this one began.
    late: bool,
    has_exchange: bool,
    number: u64,
    /// The number after the last request whose outcome this one awaits.
    awaits: Option<u64>,
}

impl Overlaps {
    pub(super) fn enter(&self, key: CodeKey) -> Overlap {
        let mut codes = self.codes();
        let under_way = codes.entry(key.clone()).or_default();
        let is_over = under_way.exchanged_at.is_some_and(|at| at.elapsed() > CHAIN_LASTS);
        let late = is_over || under_way.exchanges > 0 && under_way.together == 0;
        under_way.requests += 1;
        under_way.together += usize::from(!late);
        let number = under_way.next;
        under_way.next += 1;
        under_way.undecided.insert(number);
        drop(codes);
        Overlap { all: self.clone(), key, late, has_exchange: false, number, awaits: None }
    }

    fn codes(&self) -> MutexGuard<'_, HashMap<CodeKey, UnderWay>> {
        lock(&self.0)
    }
}

impl Overlap {
    /// Records that WeChat exchanged the code for this request, or for a concurrent one on another node.
    pub(super) fn note_exchange(&mut self) {
        if let Some(under_way) = self.all.codes().get_mut(&self.key)
            && !self.has_exchange
        {
            self.has_exchange = true;
            under_way.exchanges += 1;
            under_way.exchanged_at.get_or_insert_with(Instant::now);
            under_way.undecided.remove(&self.number);
        }
    }

    /// Records that nothing makes this request concurrent with an exchange, unless another one does that had begun by
    /// now. Returns whether one still may.
    pub(super) fn may_still_join(&mut self) -> bool {
        let mut codes = self.all.codes();
        let Some(under_way) = codes.get_mut(&self.key) else { return false };
        under_way.undecided.remove(&self.number);
        let end = *self.awaits.get_or_insert(under_way.next);
        !self.late && under_way.undecided.first().is_some_and(|first| *first < end)
    }

    /// Whether this request is concurrent with another one, for which WeChat exchanged the code.
    pub(super) fn with_an_exchange(&self) -> bool {
        let exchanges = self.all.codes().get(&self.key).map_or(0, |under_way| under_way.exchanges);
        !self.late && exchanges > usize::from(self.has_exchange)
    }
}

impl Drop for Overlap {
    fn drop(&mut self) {
        let mut codes = self.all.codes();
        if let Some(under_way) = codes.get_mut(&self.key) {
            under_way.requests -= 1;
            under_way.together -= usize::from(!self.late);
            under_way.undecided.remove(&self.number);
            if under_way.requests == 0 {
                codes.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppId, LoginCode};

    fn enter(overlaps: &Overlaps) -> Overlap {
        let app = AppId::parse("wx0123456789abcdef").unwrap();
        overlaps.enter(CodeKey { app, code: LoginCode::parse("code").unwrap().hash() })
    }

    #[test]
    fn who_overlaps_with_an_exchange_came_at_the_same_time_and_nobody_else() {
        let overlaps = Overlaps::default();
        let enter = || enter(&overlaps);
        let (mut first, second) = (enter(), enter());
        assert!(!first.with_an_exchange() && !second.with_an_exchange(), "none was exchanged");
        first.note_exchange();
        let third = enter();
        assert!(!first.with_an_exchange(), "its own does not count");
        assert!(second.with_an_exchange() && third.with_an_exchange());
        drop(first);
        assert!(second.with_an_exchange() && third.with_an_exchange(), "it was under way when they came");
        drop(second);
        let fourth = enter();
        assert!(fourth.with_an_exchange(), "the third one was");
        drop((third, fourth));
        assert!(overlaps.codes().is_empty());
        let refused: Vec<Overlap> = (0..3).map(|_| enter()).collect();
        assert!(refused.iter().all(|refused| !refused.with_an_exchange()));
    }

    #[test]
    fn who_is_not_concurrent_by_itself_waits_for_what_becomes_of_the_others() {
        let overlaps = Overlaps::default();
        let enter = || enter(&overlaps);
        let (mut first, mut second, mut third) = (enter(), enter(), enter());
        assert!(second.may_still_join() && third.may_still_join());
        let fourth = enter();
        first.note_exchange();
        assert!(!second.may_still_join(), "it does not wait for who came later");
        assert!(second.with_an_exchange() && third.with_an_exchange() && fourth.with_an_exchange());
        drop((first, second, third, fourth));
        let (mut first, mut second) = (enter(), enter());
        assert!(first.may_still_join(), "the second one may turn out to be concurrent");
        assert!(!second.may_still_join() && !first.may_still_join() && !second.with_an_exchange());
    }

    #[test]
    fn who_comes_when_all_have_ended_joins_nobody() {
        let overlaps = Overlaps::default();
        let enter = || enter(&overlaps);
        let mut first = enter();
        first.note_exchange();
        drop(first);
        let late = enter();
        assert!(!late.with_an_exchange() && !enter().with_an_exchange());
    }
}

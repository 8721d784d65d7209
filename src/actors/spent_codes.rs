//! The codes that were exchanged of late: bringing one of them to WeChat once more is of no use.

use crate::domain::CodeKey;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// How many spent codes are remembered; a repeat of one is refused without asking WeChat.
pub const REMEMBERED_CODES: usize = 20_000;

/// Recently exchanged codes and when they were spent; the oldest is evicted first.
#[derive(Default)]
pub(super) struct SpentCodes {
    known: HashMap<CodeKey, Instant>,
    in_order: VecDeque<CodeKey>,
}

impl SpentCodes {
    /// Remembers these, the latest last, as spent at this moment.
    pub(super) fn of(keys: &[CodeKey], now: Instant) -> Self {
        let mut spent = Self::default();
        keys.iter().for_each(|key| spent.remember(key, now));
        spent
    }

    pub(super) fn when(&self, key: &CodeKey) -> Option<Instant> {
        self.known.get(key).copied()
    }

    pub(super) fn remember(&mut self, key: &CodeKey, now: Instant) {
        if self.known.insert(key.clone(), now).is_some() {
            return;
        }
        self.in_order.push_back(key.clone());
        if self.in_order.len() > REMEMBERED_CODES
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppId, LoginCode};

    #[test]
    fn the_oldest_code_makes_room_for_the_newest() {
        let app = AppId::parse("wx0123456789abcdef").unwrap();
        let key = |number: usize| {
            let code = LoginCode::parse(&format!("code-{number}")).unwrap().hash();
            CodeKey { app: app.clone(), code }
        };
        let now = Instant::now();
        let spent = SpentCodes::of(&(0..=REMEMBERED_CODES).map(key).collect::<Vec<_>>(), now);
        assert_eq!(spent.when(&key(0)), None);
        assert_eq!((spent.when(&key(1)), spent.when(&key(REMEMBERED_CODES))), (Some(now), Some(now)));
        assert_eq!((spent.known.len(), spent.in_order.len()), (REMEMBERED_CODES, REMEMBERED_CODES));
    }
}

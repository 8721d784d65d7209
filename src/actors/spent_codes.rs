//! The codes that were exchanged of late: bringing one of them to WeChat once more is of no use.

use crate::domain::{AppId, CodeHash};
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// How many spent codes are remembered; a repeat of one is refused without asking WeChat.
const REMEMBERED_CODES: usize = 20_000;

/// A code of an app.
pub(super) type CodeKey = (AppId, CodeHash);

/// Recently exchanged codes and when they were spent; the oldest is evicted first.
#[derive(Default)]
pub(super) struct SpentCodes {
    known: HashMap<(AppId, u128), Instant>,
    in_order: VecDeque<(AppId, u128)>,
}

impl SpentCodes {
    pub(super) fn when(&self, key: &CodeKey) -> Option<Instant> {
        self.known.get(&shortened(key)).copied()
    }

    pub(super) fn remember(&mut self, key: &CodeKey, now: Instant) {
        if self.known.insert(shortened(key), now).is_some() {
            return;
        }
        self.in_order.push_back(shortened(key));
        if self.in_order.len() > REMEMBERED_CODES
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Half of the digest is plenty to tell codes apart, and takes a quarter of the memory.
fn shortened((app, code): &CodeKey) -> (AppId, u128) {
    let half = code.as_str().get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    (app.clone(), half.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LoginCode;

    #[test]
    fn the_oldest_code_makes_room_for_the_newest() {
        let app = AppId::parse("wx0123456789abcdef").unwrap();
        let key = |number: usize| (app.clone(), LoginCode::parse(&format!("code-{number}")).unwrap().hash());
        let (mut spent, now) = (SpentCodes::default(), Instant::now());
        for number in 0..=REMEMBERED_CODES {
            spent.remember(&key(number), now);
        }
        assert_eq!(spent.when(&key(0)), None);
        assert_eq!((spent.when(&key(1)), spent.when(&key(REMEMBERED_CODES))), (Some(now), Some(now)));
        assert_eq!((spent.known.len(), spent.in_order.len()), (REMEMBERED_CODES, REMEMBERED_CODES));
    }
}

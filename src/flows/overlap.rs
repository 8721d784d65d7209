//! Which codes are being signed in on this node right now. Two requests that overlap are "at the same
//! time", however late the second one finds the first one's record.

use crate::domain::{AppId, CodeHash};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

type Codes = HashMap<(AppId, CodeHash), usize>;

/// The sign-ins under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlaps(Arc<Mutex<Codes>>);

/// One sign-in under way; ends when dropped.
pub(super) struct Overlap {
    codes: Arc<Mutex<Codes>>,
    key: (AppId, CodeHash),
    /// Was another one under way for the same code when this one began?
    pub(super) joined: bool,
}

impl Overlaps {
    pub(super) fn enter(&self, app: &AppId, code: &CodeHash) -> Overlap {
        let key = (app.clone(), code.clone());
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = codes.entry(key.clone()).or_insert(0);
        *count += 1;
        let joined = *count > 1;
        Overlap { codes: self.0.clone(), key, joined }
    }
}

impl Drop for Overlap {
    fn drop(&mut self) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = codes.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                codes.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LoginCode;

    #[test]
    fn a_request_joins_those_that_have_not_ended() {
        let overlaps = Overlaps::default();
        let app = AppId::parse("wx0123456789abcdef").unwrap();
        let code = LoginCode::parse("code").unwrap().hash();
        let first = overlaps.enter(&app, &code);
        let second = overlaps.enter(&app, &code);
        assert!(!first.joined && second.joined);
        drop(first);
        assert!(overlaps.enter(&app, &code).joined);
        drop(second);
        assert!(!overlaps.enter(&app, &code).joined);
        assert!(overlaps.0.lock().unwrap().is_empty());
    }
}

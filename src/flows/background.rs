//! What goes on beside the requests for as long as the server runs.

use crate::shared::lock;
use crate::store::StoreError;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::{AbortHandle, spawn_local};

/// How long after a crash a loop starts again.
const PAUSE: Duration = Duration::from_secs(1);

/// So long after a crash none of them is trusted.
const SUSPECT: Duration = Duration::from_secs(10);

/// The loops that follow other nodes, purge and catch up. Cheap to clone: a clone holds the same ones.
#[derive(Debug, Clone, Default)]
pub struct Background(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: Mutex<Vec<AbortHandle>>,
    crashed_at: Mutex<Option<Instant>>,
}

impl Background {
    /// Begins a loop that has no end of its own, with its `parts`; its `name` is for the log. One that panics starts
    /// again, with the same parts: a node that no longer follows the others would go on and look well.
    pub fn run<P, F>(&self, name: &'static str, parts: P, work: impl Fn(P) -> F + 'static)
    where
        P: Clone + 'static,
        F: Future<Output = ()> + 'static,
    {
        let inner = self.0.clone();
        let task = spawn_local(async move {
            while AssertUnwindSafe(async { work(parts.clone()).await }).catch_unwind().await.is_err() {
                *lock(&inner.crashed_at) = Some(Instant::now());
                log::error!("the {name} crashed and starts again");
                tokio::time::sleep(PAUSE).await;
            }
        });
        lock(&self.0.tasks).push(task.abort_handle());
    }

    /// Has none of them crashed a moment ago?
    pub fn is_well(&self) -> bool {
        let crashed_at = *lock(&self.0.crashed_at);
        crashed_at.is_none_or(|at| at.elapsed() > SUSPECT)
    }

    /// Ends them all, wherever they are.
    pub fn stop(&self) {
        for task in lock(&self.0.tasks).drain(..) {
            task.abort();
        }
    }
}

/// A failure of something that is tried again and again: the log says once that it began, and once that it is over.
#[derive(Debug)]
pub(super) struct Outage {
    told: AtomicBool,
    begins: &'static str,
    is_over: &'static str,
}

impl Outage {
    /// What to say of it.
    pub(super) const fn new(begins: &'static str, is_over: &'static str) -> Self {
        Self { told: AtomicBool::new(false), begins, is_over }
    }

    /// Takes note of how a try went, and hands it on.
    pub(super) fn note<T>(&self, tried: Result<T, StoreError>) -> Option<T> {
        match &tried {
            Ok(_) => self.ends(),
            Err(error) => self.goes_on(error),
        }
        tried.ok()
    }

    /// It failed, again or for the first time.
    pub(super) fn goes_on(&self, error: &StoreError) {
        let is_known = self.told.swap(true, Ordering::Relaxed);
        let level = if is_known { log::Level::Debug } else { log::Level::Warn };
        log::log!(level, "{}: {error}", self.begins);
    }

    /// It succeeded, again or for the first time.
    pub(super) fn ends(&self) {
        if self.told.swap(false, Ordering::Relaxed) {
            log::info!("{}", self.is_over);
        }
    }

    /// Was it told that it began, and not yet that it is over?
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::pending;
    use std::rc::Rc;
    use tokio::task::{LocalSet, yield_now};

    #[tokio::test]
    async fn a_loop_that_crashes_starts_again_until_it_is_stopped() {
        let runs = Rc::new(Cell::new(0));
        let background = Background::default();
        let run = async {
            background.run("test loop", runs.clone(), |counted| async move {
                counted.set(counted.get() + 1);
                assert!(counted.get() > 2, "as a test wants it");
                pending::<()>().await;
            });
            while runs.get() < 3 {
                tokio::time::sleep(PAUSE).await;
            }
            assert_eq!(Rc::strong_count(&runs), 3, "it goes on");
            assert!(!background.is_well() && Background::default().is_well());
            background.stop();
            while Rc::strong_count(&runs) > 1 {
                yield_now().await;
            }
        };
        LocalSet::new().run_until(run).await;
    }
}

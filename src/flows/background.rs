//! The background tasks, which run for as long as the server does.

use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// The loops that follow other nodes, purge and catch up. Cheap to clone: clones share them.
#[derive(Debug, Clone, Default)]
pub struct Background(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tasks: Mutex<Vec<AbortHandle>>,
    has_crashed: AtomicBool,
}

impl Background {
    /// Starts an endless loop; `what` describes it in the log. A loop that panics is not restarted, and the server
    /// stops being ready: a node that hears nothing from the others must not look healthy.
    pub fn run(&self, what: &'static str, work: impl Future<Output = ()> + 'static) {
        let inner = self.0.clone();
        let task = tokio::task::spawn_local(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                inner.has_crashed.store(true, Ordering::Relaxed);
                log::error!("{what} has crashed, and does not go on until this server is started again");
            }
        });
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
    }

    /// Whether none of them has crashed.
    pub fn is_well(&self) -> bool {
        !self.0.has_crashed.load(Ordering::Relaxed)
    }

    /// Aborts them all, wherever they are.
    pub fn stop(&self) {
        for task in self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::task::{LocalSet, yield_now};

    #[tokio::test]
    async fn a_loop_that_crashes_is_not_passed_over_and_the_others_go_on_until_they_are_stopped() {
        let other = Arc::new(());
        let (background, held) = (Background::default(), other.clone());
        let run = async {
            background.run("waiting", async move {
                let _held = held;
                pending::<()>().await;
            });
            yield_now().await;
            assert!(background.is_well());
            background.run("crashing", async { panic!("as a test wants it") });
            while background.is_well() {
                yield_now().await;
            }
            assert_eq!(Arc::strong_count(&other), 2, "the other one goes on");
            background.stop();
            while Arc::strong_count(&other) == 2 {
                yield_now().await;
            }
        };
        LocalSet::new().run_until(run).await;
    }
}

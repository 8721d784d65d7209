//! Group commit on a full disk.

use super::both;
use super::group_commit::{FEW, Hold, Note, rows, submit};
use crate::store::{DbConn, GroupCommit, StoreError, Write};
use diesel::connection::SimpleConnection;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

/// Finds the disk full, and counts how often it tried.
struct Fill(Arc<AtomicUsize>);

impl Write for Fill {
    type Output = ();

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<()>, StoreError> {
        let statement = match conn {
            DbConn::Postgres(_) => {
                "DO $$ BEGIN
                     RAISE disk_full USING MESSAGE = 'could not extend file \"base/5/1\": No space left on device';
                 END $$"
            }
            DbConn::Sqlite(_) => {
                "PRAGMA max_page_count = 1;
                 INSERT INTO audit (id, at, actor, action) VALUES ('x', '2026-01-02', '', zeroblob(1000000))"
            }
        };
        for fill in batch {
            fill.0.fetch_add(1, Ordering::Relaxed);
            conn.batch_execute(statement)?;
        }
        Ok(vec![(); batch.len()])
    }
}

#[test]
fn a_full_disk_is_met_once_by_a_group_and_not_by_each_member() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 100, FEW).unwrap();
        let (barrier, tries) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let held = submit(&writer, Hold(barrier.clone()));
        barrier.wait();
        let answers: Vec<_> = (0..10).map(|_| submit(&writer, Fill(tries.clone()))).collect();
        barrier.wait();
        held.blocking_recv().unwrap().unwrap();
        for answer in answers {
            let error = answer.blocking_recv().unwrap().unwrap_err();
            assert!(matches!(error, StoreError::Unable(_)), "{error}");
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1, "the first one showed it");
        submit(&writer, Note("a".into())).blocking_recv().unwrap().unwrap();
        assert_eq!(rows(&database), ["a"]);
    }
}

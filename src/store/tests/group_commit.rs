//! Group commit: a bad write costs only itself.

use super::{Fresh, both};
use crate::store::schema::audit;
use crate::store::{DbConn, GroupCommit, StoreError, Write};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use std::sync::{Arc, Barrier};
use tokio::sync::oneshot;

/// Writes one row.
struct Note(String);

impl Write for Note {
    type Output = String;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
        let write = |note: &&Self| {
            conn.batch_execute(&format!(
                "INSERT INTO audit (id, at, actor, action) VALUES ('{}', '2026-01-02 03:04:05', 'test', 'test')",
                note.0
            ))?;
            Ok(note.0.clone())
        };
        batch.iter().map(write).collect()
    }
}

/// Holds the writer from the first `wait` of the test to the second: what is queued between is one group.
struct Hold(Arc<Barrier>);

impl Write for Hold {
    type Output = ();

    fn apply(batch: &[&Self], _: &mut DbConn) -> Result<Vec<()>, StoreError> {
        for hold in batch {
            hold.0.wait();
            hold.0.wait();
        }
        Ok(vec![(); batch.len()])
    }
}

/// A bug.
struct Panic;

impl Write for Panic {
    type Output = ();

    fn apply(_: &[&Self], _: &mut DbConn) -> Result<Vec<()>, StoreError> {
        panic!("on purpose")
    }
}

fn submit<W: Write>(writer: &GroupCommit, write: W) -> oneshot::Receiver<Result<W::Output, StoreError>> {
    let (reply, answer) = oneshot::channel();
    writer.submit(write, reply);
    answer
}

fn rows(database: &Fresh) -> Vec<String> {
    let mut conn = database.pool.get().unwrap();
    audit::table.select(audit::id).order(audit::id).load(&mut *conn).unwrap()
}

#[test]
fn a_bad_write_and_a_panic_cost_only_themselves() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 100).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let held = submit(&writer, Hold(barrier.clone()));
        barrier.wait();
        let first = submit(&writer, Note("a".into()));
        let twice = submit(&writer, Note("a".into()));
        let crash = submit(&writer, Panic);
        let last = submit(&writer, Note("b".into()));
        barrier.wait();
        assert_eq!(held.blocking_recv().unwrap(), Ok(()));
        assert_eq!(first.blocking_recv().unwrap(), Ok("a".to_owned()));
        assert!(matches!(twice.blocking_recv().unwrap(), Err(StoreError::Refused(_))));
        assert_eq!(crash.blocking_recv().unwrap(), Err(StoreError::Crashed));
        assert_eq!(last.blocking_recv().unwrap(), Ok("b".to_owned()));
        assert_eq!(rows(&database), ["a", "b"]);
        assert_eq!(submit(&writer, Note("c".into())).blocking_recv().unwrap(), Ok("c".to_owned()));
    }
}

#[test]
fn a_full_queue_says_so_at_once_and_loses_nothing_it_took() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 3).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let held = submit(&writer, Hold(barrier.clone()));
        barrier.wait();
        let answers = (0..20).map(|i| submit(&writer, Note(format!("{i:02}"))));
        let taken: Vec<_> =
            answers.filter_map(|mut answer| answer.try_recv().is_err().then_some(answer)).collect();
        assert_eq!(taken.len(), 3, "the others were refused at once");
        barrier.wait();
        held.blocking_recv().unwrap().unwrap();
        for answer in taken {
            answer.blocking_recv().unwrap().unwrap();
        }
        assert_eq!(rows(&database), ["00", "01", "02"]);
    }
}

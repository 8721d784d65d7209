//! Group commit: a bad write affects only itself.

use super::{Fresh, both, postgres, sqlite};
use crate::store::schema::audit;
use crate::store::{DbConn, Direct, GroupCommit, StoreError, Write};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use tokio::sync::oneshot;

/// How many writes a writer takes at once while the queue is short.
pub(super) const FEW: usize = 24;

/// Writes one row.
pub(super) struct Note(pub String);

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

/// Blocks the writer from the first `wait` of the test to the second, so that writes queued in between form a group.
pub(super) struct Hold(pub Arc<Barrier>);

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

/// Fails with a conflict this many times, and then succeeds.
struct Obstructed(AtomicUsize);

impl Write for Obstructed {
    type Output = ();

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<()>, StoreError> {
        let obstructed = |write: &&Self| {
            let left = write.0.load(Ordering::Relaxed);
            if left == 0 {
                return Ok(());
            }
            write.0.store(left - 1, Ordering::Relaxed);
            conn.batch_execute(
                "INSERT INTO audit (id, at, actor, action) VALUES ('x', '2026-01-02', '', '')",
            )?;
            Err(StoreError::Conflict("deadlock detected".into()))
        };
        batch.iter().map(obstructed).collect()
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

/// Writes nothing, and returns the size of its batch.
struct Count;

impl Write for Count {
    type Output = usize;

    fn apply(batch: &[&Self], _: &mut DbConn) -> Result<Vec<usize>, StoreError> {
        Ok(vec![batch.len(); batch.len()])
    }
}

pub(super) fn submit<W: Write>(
    writer: &GroupCommit,
    write: W,
) -> oneshot::Receiver<Result<W::Output, StoreError>> {
    let (reply, answer) = oneshot::channel();
    writer.submit(write, reply);
    answer
}

#[test]
fn a_commands_write_is_tried_again_where_it_met_another() {
    for database in both() {
        let mut direct = Direct::open(&database.url).unwrap();
        direct.commit(&Obstructed(AtomicUsize::new(2))).unwrap();
        let still = direct.commit(&Obstructed(AtomicUsize::new(9))).unwrap_err();
        assert!(matches!(still, StoreError::Conflict(_)), "{still}");
        assert!(rows(&database).is_empty());
    }
}

pub(super) fn rows(database: &Fresh) -> Vec<String> {
    let mut conn = database.pool.get().unwrap();
    audit::table.select(audit::id).order(audit::id).load(&mut *conn).unwrap()
}

#[test]
fn a_bad_write_and_a_panic_cost_only_themselves() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 100, FEW).unwrap();
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
fn what_waits_is_committed_together_and_of_a_crowd_half() {
    let database = sqlite();
    let writer = GroupCommit::start(&database.writers, 100, 4).unwrap();
    for groups in [vec![1], vec![4], vec![4, 4, 1], vec![9, 5, 4, 2]] {
        let barrier = Arc::new(Barrier::new(2));
        let held = submit(&writer, Hold(barrier.clone()));
        barrier.wait();
        // Each member of a group of nine got the answer nine.
        let expected: Vec<usize> = groups.iter().flat_map(|group| vec![*group; *group]).collect();
        let answers: Vec<_> = expected.iter().map(|_| submit(&writer, Count)).collect();
        barrier.wait();
        held.blocking_recv().unwrap().unwrap();
        let counts = answers.into_iter().map(|answer| answer.blocking_recv().unwrap().unwrap());
        assert_eq!(counts.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_full_queue_says_so_at_once_and_loses_nothing_it_took() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 3, FEW).unwrap();
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

#[test]
fn whoever_meets_another_transaction_is_tried_again() {
    for database in both() {
        let writer = GroupCommit::start(&database.writers, 100, FEW).unwrap();
        let twice = submit(&writer, Obstructed(AtomicUsize::new(2)));
        assert_eq!(twice.blocking_recv().unwrap(), Ok(()));
        let for_ever = submit(&writer, Obstructed(AtomicUsize::new(usize::MAX)));
        assert!(matches!(for_ever.blocking_recv().unwrap(), Err(StoreError::Conflict(_))));
        assert!(rows(&database).is_empty(), "what was given up has left nothing");
    }
}

/// Updates one row, waits until another write has updated its first one, and updates a second row.
struct InTurn {
    rows: [&'static str; 2],
    met: AtomicBool,
    meet: Arc<Barrier>,
}

impl Write for InTurn {
    type Output = ();

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<()>, StoreError> {
        let change = |conn: &mut DbConn, row: &str| {
            conn.batch_execute(&format!("UPDATE audit SET actor = actor || 'x' WHERE id = '{row}'"))
        };
        for write in batch {
            change(conn, write.rows[0])?;
            if !write.met.swap(true, Ordering::Relaxed) {
                write.meet.wait();
            }
            change(conn, write.rows[1])?;
        }
        Ok(vec![(); batch.len()])
    }
}

#[test]
fn of_two_that_wait_for_each_other_on_postgres_both_get_through() {
    let database = postgres();
    let [first, second] =
        [&database.writers, &database.pool].map(|pool| GroupCommit::start(pool, 100, FEW).unwrap());
    for id in ["a", "b"] {
        submit(&first, Note(id.into())).blocking_recv().unwrap().unwrap();
    }
    let meet = Arc::new(Barrier::new(2));
    let begin =
        |writer, rows| submit(writer, InTurn { rows, met: AtomicBool::new(false), meet: meet.clone() });
    let one = begin(&first, ["a", "b"]);
    let other = begin(&second, ["b", "a"]);
    assert_eq!(one.blocking_recv().unwrap(), Ok(()));
    assert_eq!(other.blocking_recv().unwrap(), Ok(()));
    let mut conn = database.pool.get().unwrap();
    let actors: Vec<String> = audit::table.select(audit::actor).load(&mut *conn).unwrap();
    assert_eq!(actors, ["testxx", "testxx"]);
}

#[test]
fn a_database_that_another_process_holds_is_unavailable_to_the_whole_group_at_once() {
    let database = sqlite();
    let writer = GroupCommit::start(&database.writers, 100, FEW).unwrap();
    submit(&writer, Note("a".into())).blocking_recv().unwrap().unwrap();
    let mut other = database.pool.get().unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let answers: Vec<_> = (0..10).map(|i| submit(&writer, Note(format!("{i:02}")))).collect();
    for answer in answers {
        assert!(matches!(answer.blocking_recv().unwrap(), Err(StoreError::Unavailable(_))));
    }
    other.batch_execute("ROLLBACK").unwrap();
    submit(&writer, Note("b".into())).blocking_recv().unwrap().unwrap();
}

/// No test can show that a power failure loses nothing; this one checks the setting that SQLite needs for it.
#[test]
fn every_commit_on_sqlite_is_flushed() {
    #[derive(QueryableByName)]
    struct Synchronous {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        synchronous: i32,
    }
    const FULL: i32 = 2;
    let database = sqlite();
    let mut writer = database.writers.get().unwrap();
    let DbConn::Sqlite(writer) = &mut *writer else { panic!("SQLite") };
    let found: Synchronous = diesel::sql_query("PRAGMA synchronous").get_result(writer).unwrap();
    assert_eq!(found.synchronous, FULL);
}

//! Group commit: waiting writes are committed in one transaction, and answered once it is durable.
//!
//! A commit costs a flush to disk, whatever its size. While one transaction commits, writes queue up; they
//! form the next group. Nothing waits for company: a lone write is committed at once. If a member of a group
//! fails, the group is rolled back and each member gets its own transaction, so that a bad write affects only
//! itself. Groups of two writers, or of two servers, may deadlock; the database then aborts one of them,
//! whose members are retried in the same way.

use super::transaction::{begin_transaction, commit_transaction, rollback_transaction};
use super::{DbConn, Pool, StoreError, Write};
use crate::shared::lock;
use diesel::connection::SimpleConnection;
use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Most writes in one transaction; with more, the first would only wait longer for the last.
const MAX_GROUP: usize = 256;

/// How many times a lone write is tried if it conflicts with other transactions.
const TRIES: usize = 3;

/// Between two tries: whoever was in the way must get on first, and not meet the next try.
const PAUSE: Duration = Duration::from_millis(20);

/// A write that has waited longer than this is not started: its caller has been told that the database does
/// not respond, and may retry.
///
/// With the `Retry-After` of the answer (3 s) it is less than the usual grace of a refresh token (10 s): who is told so
/// and comes again with a token that was rotated after all is not taken for a thief.
pub const MAX_WAIT: Duration = Duration::from_secs(6);

/// Receives the result of a write, once it is durable.
pub type Reply<W> = oneshot::Sender<Result<<W as Write>::Output, StoreError>>;

/// The threads that own the writing connections, and their queue.
#[derive(Clone)]
pub struct GroupCommit {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl GroupCommit {
    /// Starts a writer for each connection of the pool. The queue holds at most `waiting` writes, of which a
    /// writer takes up to `few` at once, or half of the queue if that is more.
    pub fn start(pool: &Pool, waiting: usize, few: usize) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..pool.max_size() {
            let (writer, jobs) = (Writer::new(pool.clone()), jobs.clone());
            std::thread::Builder::new().name("weauth-writer".into()).spawn(move || writer.run(&jobs, few))?;
        }
        Ok(Self { queue })
    }

    /// Queues a write; if the queue is full, it is answered with [`StoreError::Busy`] at once.
    pub fn submit<W: Write>(&self, write: W, reply: Reply<W>) {
        let job = Box::new(Entry { write, output: None, reply: Some(reply), since: Instant::now() });
        let (mut job, error) = match self.queue.try_send(job) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(job)) => (job, StoreError::Busy),
            Err(mpsc::error::TrySendError::Closed(job)) => (job, StoreError::Crashed),
        };
        job.answer(Err(error));
    }
}

/// A write, its output and the waiting caller.
struct Entry<W: Write> {
    write: W,
    output: Option<W::Output>,
    reply: Option<Reply<W>>,
    since: Instant,
}

type Apply = fn(&mut [Box<dyn Job>], &mut DbConn) -> Result<(), StoreError>;

/// A queued write of any type.
trait Job: Any + Send {
    /// Has it waited too long to be started?
    fn is_late(&self) -> bool;
    /// Identifies the writes that may be applied together with this one.
    fn kind(&self) -> TypeId;
    /// Applies jobs of this kind.
    fn applier(&self) -> Apply;
    /// Sends the caller the output on `Ok`, else the error. False if the caller is gone.
    fn answer(&mut self, result: Result<(), StoreError>) -> bool;
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<W: Write> Job for Entry<W> {
    fn is_late(&self) -> bool {
        self.since.elapsed() > MAX_WAIT
    }

    fn kind(&self) -> TypeId {
        TypeId::of::<W>()
    }

    fn applier(&self) -> Apply {
        |jobs, conn| {
            let mut entries: Vec<&mut Self> =
                jobs.iter_mut().filter_map(|job| job.as_any().downcast_mut()).collect();
            let writes: Vec<&W> = entries.iter().map(|entry| &entry.write).collect();
            let outputs = W::apply(&writes, conn)?;
            for (entry, output) in entries.iter_mut().zip(outputs) {
                entry.output = Some(output);
            }
            Ok(())
        }
    }

    fn answer(&mut self, result: Result<(), StoreError>) -> bool {
        let result = result.and_then(|()| self.output.take().ok_or(StoreError::Crashed));
        self.reply.take().is_some_and(|reply| reply.send(result).is_ok())
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// Waits for a write and takes those queued behind it; `None` when the queue is closed.
///
/// Of a long queue it takes half: while these are committed, and while their callers return with the next
/// requests, the other threads have work. Taking all would leave the callers waiting for one commit, and the
/// other threads for the callers.
fn next_group(jobs: &Mutex<mpsc::Receiver<Box<dyn Job>>>, few: usize) -> Option<Vec<Box<dyn Job>>> {
    let mut jobs = lock(jobs);
    let mut group = vec![jobs.blocking_recv()?];
    let most = (jobs.len() / 2).clamp(few, MAX_GROUP);
    while group.len() < most
        && let Ok(next) = jobs.try_recv()
    {
        group.push(next);
    }
    Some(group)
}

struct Writer {
    pool: Pool,
    conn: Option<r2d2::PooledConnection<super::connection::Connector>>,
}

impl Writer {
    fn new(pool: Pool) -> Self {
        Self { pool, conn: None }
    }

    fn run(mut self, jobs: &Mutex<mpsc::Receiver<Box<dyn Job>>>, few: usize) {
        while let Some(mut group) = next_group(jobs, few) {
            for mut late in group.extract_if(.., |job| job.is_late()) {
                late.answer(Err(too_late()));
            }
            if group.is_empty() {
                continue;
            }
            // Makes writes of one kind adjacent; the sort is stable, so they keep their order of arrival.
            group.sort_by_key(|job| job.kind());
            self.commit(group);
        }
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        let began = Instant::now();
        if group.len() == 1 {
            return self.commit_each(group, LockWait::Long);
        }
        let result = self.transact(&mut group, LockWait::Long);
        log::trace!("{} writes took {:?}", group.len(), began.elapsed());
        match result {
            // One that waits for a stranger's lock, and will go on waiting, must not hold up its neighbours again.
            Err(StoreError::Conflict(_)) => self.commit_each(group, LockWait::Short),
            Err(StoreError::Refused(_) | StoreError::Crashed) => self.commit_each(group, LockWait::Long),
            result => answer(&mut group, &result),
        }
    }

    fn commit_each(&mut self, group: Vec<Box<dyn Job>>, wait: LockWait) {
        for mut job in group {
            if job.is_late() {
                job.answer(Err(too_late()));
            } else {
                self.commit_alone(job, wait);
            }
        }
    }

    /// Further tries wait for less long, as whoever is queued behind waits too. In all it is over three seconds.
    fn commit_alone(&mut self, mut job: Box<dyn Job>, wait: LockWait) {
        let alone = std::slice::from_mut(&mut job);
        let mut result = self.transact(alone, wait);
        for _ in 1..TRIES {
            if matches!(result, Err(StoreError::Conflict(_))) && !alone[0].is_late() {
                std::thread::sleep(PAUSE);
                result = self.transact(alone, LockWait::Short);
            }
        }
        answer(alone, &result);
    }

    /// Runs one transaction over the group. Drops the connection if its state is in doubt.
    fn transact(&mut self, group: &mut [Box<dyn Job>], wait: LockWait) -> Result<(), StoreError> {
        // If another process holds SQLite's write lock beyond the busy timeout, no member of the group is at
        // fault, so the whole group gets this error.
        let mut conn = self.begin().map_err(|error| match error {
            StoreError::Conflict(_) => StoreError::Unavailable("another process holds its write lock".into()),
            other => other,
        })?;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            wait.set(&mut conn)?;
            apply_all(group, &mut conn)
        }));
        let result = applied.unwrap_or(Err(StoreError::Crashed)).and_then(|()| commit_transaction(&mut conn));
        let keep = match &result {
            Ok(()) => true,
            Err(error) => rollback_transaction(&mut conn).is_ok() && !error.is_connection_lost(),
        };
        if keep {
            self.conn = Some(conn);
        }
        result
    }

    /// Begins a transaction; a connection that died since its last use is replaced, once.
    fn begin(&mut self) -> Result<r2d2::PooledConnection<super::connection::Connector>, StoreError> {
        if let Some(mut conn) = self.conn.take() {
            match begin_transaction(&mut conn) {
                Ok(()) => return Ok(conn),
                Err(conflict @ StoreError::Conflict(_)) => {
                    self.conn = Some(conn);
                    return Err(conflict);
                }
                Err(_) => {}
            }
        }
        let mut conn = self.pool.get()?;
        begin_transaction(&mut conn)?;
        Ok(conn)
    }
}

/// How long a transaction waits for a lock that another program holds.
#[derive(Debug, Clone, Copy)]
enum LockWait {
    /// As the connection is set up.
    Long,
    /// Less: the writes behind it have waited already. Three such tries are as long as another group of ours may wait.
    Short,
}

impl LockWait {
    fn set(self, conn: &mut DbConn) -> Result<(), StoreError> {
        if let (Self::Short, DbConn::Postgres(conn)) = (self, conn) {
            conn.batch_execute("SET LOCAL lock_timeout = '700ms'")?;
        }
        Ok(())
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable("the write has waited for too long".into())
}

/// A caller that is gone has its write committed nevertheless. Each caller logs its failure, but those that are gone.
fn answer(group: &mut [Box<dyn Job>], result: &Result<(), StoreError>) {
    let mut all_heard = true;
    for job in group {
        all_heard &= job.answer(result.clone());
    }
    if let Err(error) = result {
        let level = if all_heard { log::Level::Debug } else { log::Level::Error };
        log::log!(level, "a write failed: {error}");
    }
}

fn apply_all(group: &mut [Box<dyn Job>], conn: &mut DbConn) -> Result<(), StoreError> {
    group.chunk_by_mut(|a, b| a.kind() == b.kind()).try_for_each(|jobs| jobs[0].applier()(jobs, conn))
}

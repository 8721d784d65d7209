//! The DbActor owns the pool: reads run beside each other on blocking threads, writes are committed in groups.

use crate::domain::DatabaseUrl;
use crate::store::{
    CheckSchema, GroupCommit, OpenedFile, PATIENCE, Pool, Purpose, Query, Reply, StoreError, Write,
    keep_checkpointed, open_pool, ping,
};
use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How much the database may be given to do at once.
#[derive(Debug, Clone, Copy)]
pub struct DbSettings {
    /// Connections for reads; the writers have their own.
    pub readers: u32,
    /// Reads that may wait for a connection.
    pub waiting_reads: usize,
    /// Writes that may wait for the next commit.
    pub waiting_writes: usize,
}

struct DbActor {
    pool: Pool,
    slots: Arc<Semaphore>,
    waiting_room: Arc<Semaphore>,
    writer: GroupCommit,
    /// As long as this is there, SQLite's log is carried over.
    _in_use: Arc<()>,
}

impl Actor for DbActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::MAILBOX);
    }
}

/// One query, to be run, and when it was asked for.
struct Run<Q>(Q, Instant);

impl<Q: Query> Message for Run<Q> {
    type Result = Result<Q::Output, StoreError>;
}

impl<Q: Query> Handler<Run<Q>> for DbActor {
    type Result = ResponseFuture<Result<Q::Output, StoreError>>;

    fn handle(&mut self, Run(query, since): Run<Q>, _: &mut Context<Self>) -> Self::Result {
        let Ok(place) = self.waiting_room.clone().try_acquire_owned() else {
            return Box::pin(async { Err(StoreError::Busy) });
        };
        let (pool, slots) = (self.pool.clone(), self.slots.clone());
        Box::pin(async move {
            let _slot = slots.acquire_owned().await.map_err(|_| StoreError::Crashed)?;
            if since.elapsed() > PATIENCE {
                return Err(silent());
            }
            let run = move || {
                let result = read(&pool, &query);
                drop(place);
                result
            };
            tokio::task::spawn_blocking(run).await.unwrap_or(Err(StoreError::Crashed))
        })
    }
}

/// Runs a query; one whose connection turns out to have died is run once more, on another one: as often as there are
/// connections, all of which are dead once the database was started anew.
fn read<Q: Query>(pool: &Pool, query: &Q) -> Result<Q::Output, StoreError> {
    for _ in 0..pool.max_size() {
        let mut conn = pool.get()?;
        match query.run(&mut conn) {
            Err(error) if error.is_connection_lost() => {
                // diesel does not always note that a query found its connection dead; of this it does, and the pool
                // throws the connection away instead of handing it out again.
                let _dead = ping(&mut conn);
            }
            result => return result,
        }
    }
    query.run(&mut *pool.get()?)
}

/// One write, to be committed with whatever else waits; the writer answers it directly.
struct Commit<W: Write>(W, Reply<W>);

impl<W: Write> Message for Commit<W> {
    type Result = ();
}

impl<W: Write> Handler<Commit<W>> for DbActor {
    type Result = ();

    fn handle(&mut self, Commit(write, reply): Commit<W>, _: &mut Context<Self>) {
        self.writer.submit(write, reply);
    }
}

/// The handle by which everyone else reaches the database.
#[derive(Debug, Clone)]
pub struct Db {
    actor: Addr<DbActor>,
    /// With a connection of its own for what this node must hear of the others, however much it is asked.
    aside: Addr<DbActor>,
    file: Option<Arc<OpenedFile>>,
}

impl Db {
    /// Opens the pool and starts the actor on this thread's arbiter.
    pub fn start(url: &DatabaseUrl, settings: DbSettings) -> Result<Self, StoreError> {
        // SQLite has one writer at a time, which this process does the work of. On Postgres a second one works while
        // the first one waits for the disk, and each group is a few messages there and back, however many it holds.
        let (writers, few) = if matches!(url, DatabaseUrl::Sqlite(_)) { (1, 24) } else { (2, 128) };
        let pool_of_writers = open_pool(url, Purpose::Write, writers)?;
        let writer = GroupCommit::start(&pool_of_writers, settings.waiting_writes, few).map_err(|error| {
            StoreError::Unavailable(format!("the writer thread can't be started: {error}"))
        })?;
        let in_use = Arc::new(());
        keep_checkpointed(url, Arc::downgrade(&in_use))?;
        let start = |readers: u32| -> Result<Addr<DbActor>, StoreError> {
            let slots = readers as usize;
            let actor = DbActor {
                pool: open_pool(url, Purpose::Read, readers)?,
                slots: Arc::new(Semaphore::new(slots)),
                waiting_room: Arc::new(Semaphore::new(slots + settings.waiting_reads)),
                writer: writer.clone(),
                _in_use: in_use.clone(),
            };
            Ok(actor.start())
        };
        let file = OpenedFile::of(url).map(Arc::new);
        Ok(Self { actor: start(settings.readers)?, aside: start(1)?, file })
    }

    /// The same database through a connection that strangers' requests do not use up: for whoever follows what other
    /// nodes do.
    pub fn aside(&self) -> Self {
        Self { actor: self.aside.clone(), aside: self.aside.clone(), file: self.file.clone() }
    }

    /// Runs one query on a blocking thread; `Busy` when too many wait already, `Unavailable` after [`PATIENCE`]: one
    /// that was not begun by then is not begun any more.
    pub async fn run<Q: Query>(&self, query: Q) -> Result<Q::Output, StoreError> {
        let answer = timeout(PATIENCE, self.actor.send(Run(query, Instant::now()))).await;
        answer.map_err(|_| silent())?.unwrap_or(Err(StoreError::Crashed))
    }

    /// Does the database that was opened answer, and does it hold every migration?
    pub async fn check(&self) -> Result<(), StoreError> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        self.run(CheckSchema).await
    }

    /// Commits one write and answers when it is durable; `Busy` when too many wait already. `Unavailable` after
    /// [`PATIENCE`]: a write that was not begun by then is not begun any more, one that was may still be done.
    pub async fn commit<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.actor.try_send(Commit(write, reply)).map_err(|_| StoreError::Busy)?;
        timeout(PATIENCE, answer).await.map_err(|_| silent())?.unwrap_or(Err(StoreError::Crashed))
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable(format!("it has not answered for {} seconds", PATIENCE.as_secs()))
}

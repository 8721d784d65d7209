//! The DbActor owns the pool: reads run in parallel on blocking threads, writes are committed in groups.

use crate::domain::DatabaseUrl;
use crate::store::{
    CheckReady, GroupCommit, MAX_WAIT, OpenedFile, Pool, Purpose, Query, Reply, StoreError, Write, open_pool,
    ping, start_checkpointer,
};
use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Those who follow the other nodes: one each for sessions, signing keys and API keys. Each has a connection of its own,
/// so that a read that is stuck does not keep the others from the news.
const FOLLOWERS: u32 = 3;

/// Limits on the database's concurrent work.
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
    /// Keeps the thread alive that checkpoints SQLite's WAL.
    _in_use: Arc<()>,
}

impl DbActor {
    /// The actor for clients' requests and the one for followers, which share the writers.
    fn open(url: &DatabaseUrl, settings: DbSettings) -> Result<[Self; 2], StoreError> {
        // SQLite allows one writer at a time, whose work this process does itself. On Postgres a second writer works
        // while the first waits for the disk, and a group takes only a few round trips, however many writes it holds.
        let (writers, few) = if matches!(url, DatabaseUrl::Sqlite(_)) { (1, 24) } else { (2, 128) };
        let pool_of_writers = open_pool(url, Purpose::Write, writers)?;
        let writer = GroupCommit::start(&pool_of_writers, settings.waiting_writes, few).map_err(|error| {
            StoreError::Unavailable(format!("the writer thread can't be started: {error}"))
        })?;
        let in_use = Arc::new(());
        start_checkpointer(url, Arc::downgrade(&in_use))?;
        let open = |readers: u32| -> Result<Self, StoreError> {
            let slots = readers as usize;
            Ok(Self {
                pool: open_pool(url, Purpose::Read, readers)?,
                slots: Arc::new(Semaphore::new(slots)),
                waiting_room: Arc::new(Semaphore::new(slots + settings.waiting_reads)),
                writer: writer.clone(),
                _in_use: in_use.clone(),
            })
        };
        Ok([open(settings.readers)?, open(FOLLOWERS)?])
    }
}

impl Actor for DbActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::MAILBOX);
    }
}

/// A query to run, and when it was requested.
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
            if since.elapsed() > MAX_WAIT {
                return Err(silent());
            }
            let run = move || {
                let result = read(&pool, &query);
                drop(place);
                result
            };
            spawn_blocking(run).await.unwrap_or(Err(StoreError::Crashed))
        })
    }
}

/// Runs a query. If its connection turns out to be dead, the query is retried on another one, as many times as
/// there are connections: after a database restart all of them are dead.
fn read<Q: Query>(pool: &Pool, query: &Q) -> Result<Q::Output, StoreError> {
    for _ in 0..pool.max_size() {
        let mut conn = pool.get()?;
        match query.run(&mut conn) {
            Err(error) if error.is_connection_lost() => {
                // diesel does not always notice that a query found its connection dead. It does notice with this
                // ping, and the pool then discards the connection instead of handing it out again.
                let _dead = ping(&mut conn);
            }
            result => return result,
        }
    }
    query.run(&mut *pool.get()?)
}

/// A write to be committed in one transaction with the others waiting; the writer answers it directly.
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

/// The handle through which everyone else reaches the database.
#[derive(Debug, Clone)]
pub struct Db {
    actor: Addr<DbActor>,
    /// Has connections of its own for following the other nodes, however busy the database is with requests.
    followers: Addr<DbActor>,
    file: Option<Arc<OpenedFile>>,
}

impl Db {
    /// Opens the pools, which may take seconds, on a blocking thread, and starts the actors on this thread's arbiter.
    pub async fn start(url: &DatabaseUrl, settings: DbSettings) -> Result<Self, StoreError> {
        let at = url.clone();
        let opened = spawn_blocking(move || DbActor::open(&at, settings)).await;
        let [actor, followers] = opened.unwrap_or(Err(StoreError::Crashed))?;
        let file = OpenedFile::of(url).map(Arc::new);
        Ok(Self { actor: actor.start(), followers: followers.start(), file })
    }

    /// The same database through connections that clients' requests do not use up, for following the other nodes.
    pub fn for_followers(&self) -> Self {
        Self { actor: self.followers.clone(), followers: self.followers.clone(), file: self.file.clone() }
    }

    /// Runs one query on a blocking thread. `Busy` if too many are waiting already; `Unavailable` after
    /// [`MAX_WAIT`], and a query not started by then is never started.
    pub async fn run<Q: Query>(&self, query: Q) -> Result<Q::Output, StoreError> {
        let answer = timeout(MAX_WAIT, self.actor.send(Run(query, Instant::now()))).await;
        answer.map_err(|_| silent())?.unwrap_or(Err(StoreError::Crashed))
    }

    /// Checks that the opened database answers and has every migration.
    pub async fn check(&self) -> Result<(), StoreError> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        self.run(CheckReady).await
    }

    /// Commits one write and answers when it is durable. `Busy` if too many are waiting already; `Unavailable` after
    /// [`MAX_WAIT`]: a write not started by then is never started, but one already started may still be committed.
    ///
    /// This very call queues the write, so that the future of what awaits it need not hold it.
    pub fn commit<W: Write>(&self, write: W) -> impl Future<Output = Result<W::Output, StoreError>> + use<W> {
        let (reply, answer) = oneshot::channel();
        let queued = self.actor.try_send(Commit(write, reply)).map_err(|_| StoreError::Busy);
        async move {
            queued?;
            timeout(MAX_WAIT, answer).await.map_err(|_| silent())?.unwrap_or(Err(StoreError::Crashed))
        }
    }
}

fn silent() -> StoreError {
    StoreError::Unavailable(format!("it has not answered for {} seconds", MAX_WAIT.as_secs()))
}

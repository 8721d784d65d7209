//! What other nodes, and the terminal, have ended is known here within a second, and after a restart.

use crate::actors::Db;
use crate::domain::{Clock, Time};
use crate::store::{FindRevocations, PurgeRevocations, StoreError};
use crate::tokens::Revocations;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(500);

/// How far back each look goes, in seconds: a node's clock may be behind, a commit may come late.
const OVERLAP: i64 = 30;

/// How often what is over is forgotten, counted in looks.
const LOOKS_BETWEEN_PURGES: u32 = 120;

/// Reads all that could still matter; to be done before the first request.
pub async fn load_revocations(
    db: &Db,
    revocations: &Revocations,
    clock: Clock,
    access_ttl: i64,
) -> Result<(), StoreError> {
    look(db, revocations, clock.now().plus_seconds(-access_ttl - OVERLAP)).await
}

/// Looks for news until the process ends. While the database can't be read, what was ended elsewhere is not
/// known here, and tokens stay good until they expire: a database that is away must not sign everybody out.
pub async fn follow_revocations(db: Db, revocations: Revocations, clock: Clock, access_ttl: i64) {
    let mut since = clock.now();
    for count in 1_u32.. {
        tokio::time::sleep(PAUSE).await;
        let now = clock.now();
        match look(&db, &revocations, since.plus_seconds(-OVERLAP)).await {
            Ok(()) => since = now,
            Err(error) => log::warn!("what other nodes have ended could not be read: {error}"),
        }
        if count % LOOKS_BETWEEN_PURGES == 0 {
            let over = now.plus_seconds(-access_ttl - 2 * OVERLAP);
            revocations.forget_before(over);
            if let Err(error) = db.commit(PurgeRevocations { before: over }).await {
                log::warn!("old revocations could not be purged: {error}");
            }
        }
    }
}

async fn look(db: &Db, revocations: &Revocations, since: Time) -> Result<(), StoreError> {
    let ended = db.run(FindRevocations { since }).await?;
    if !ended.is_empty() {
        revocations.add(ended);
    }
    Ok(())
}

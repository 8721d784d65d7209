//! Reencrypts everything sealed under the old master key, in small batches, while servers run. It can be
//! interrupted and restarted at will: values already under the new key are skipped.

use crate::crypto::MasterKeys;
use crate::store::{
    CountSealed, Direct, FindSealed, Reseal, Resealed, SealedBite, SealedCursor, SealedPlace, SealedValue,
    StoreError,
};
use std::thread::sleep;
use std::time::Duration;

/// Rows read, and written, per batch.
const BITE: i64 = 200;

/// The pause between two batches that write, so that SQLite's single writer is not always this one.
const PAUSE: Duration = Duration::from_millis(10);

/// How often a batch blocked by another transaction is tried.
const TRIES: u32 = 50;

/// The progress of the walk, or its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reencrypted {
    /// Rows that existed at the beginning.
    pub rows: u64,
    /// Rows read.
    pub looked_at: u64,
    /// Values reencrypted.
    pub resealed: u64,
    /// Values already under the new key.
    pub current: u64,
    /// Values that open under neither key; they are left as they are.
    pub unopened: u64,
}

/// A value that opens under neither key.
pub type Unopened<'a> = &'a SealedPlace;

/// Walks over all sealed values. `progress` is called after each batch, `unopened` for each value that does not open.
pub fn reencrypt(
    db: &mut Direct,
    master: &MasterKeys,
    mut progress: impl FnMut(Reencrypted),
    mut unopened: impl FnMut(Unopened<'_>),
) -> Result<Reencrypted, StoreError> {
    let mut done = Reencrypted { rows: db.run(&CountSealed)?, ..Reencrypted::default() };
    let mut place = Some(SealedCursor::default());
    let mut just_resealed = 0;
    while let Some(after) = place {
        let bite = db.run(&FindSealed { after: after.clone(), limit: BITE })?;
        let sorted = Sorted::new(&bite, master);
        let written = write(db, &sorted.old)?;
        done.resealed += written as u64;
        if written < sorted.old.len() {
            // A login changed some of the values in between: read this batch again.
            just_resealed += written as u64;
            sleep(PAUSE);
            place = Some(after);
            continue;
        }
        done.current += sorted.current.saturating_sub(std::mem::take(&mut just_resealed));
        done.unopened += sorted.broken.len() as u64;
        sorted.broken.into_iter().for_each(&mut unopened);
        done.looked_at += bite.rows;
        progress(done);
        place = bite.next;
        if written > 0 {
            sleep(PAUSE);
        }
    }
    Ok(done)
}

/// The values of a batch, sorted by what to do with them.
struct Sorted<'a> {
    old: Vec<Resealed>,
    current: u64,
    broken: Vec<Unopened<'a>>,
}

impl<'a> Sorted<'a> {
    fn new(bite: &'a SealedBite, master: &MasterKeys) -> Self {
        let mut sorted = Self { old: Vec::new(), current: 0, broken: Vec::new() };
        for value in &bite.values {
            let SealedValue { place, sealed } = value;
            let row = place.seal_row();
            if master.is_current(&row, sealed) {
                sorted.current += 1;
            } else if let Ok(plain) = master.open(&row, sealed) {
                sorted.old.push(Resealed { was: value.clone(), now: master.seal(&row, &plain) });
            } else {
                sorted.broken.push(place);
            }
        }
        sorted
    }
}

fn write(db: &mut Direct, old: &[Resealed]) -> Result<usize, StoreError> {
    if old.is_empty() {
        return Ok(0);
    }
    db.commit_in(TRIES, &Reseal(old.to_vec()))
}

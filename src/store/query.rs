//! What a unit of database work looks like: data in, answer out, no HTTP and no actor known.

use super::{DbConn, StoreError};

/// Something that is read. Runs beside writes, on a connection of the pool.
pub trait Query: Send + 'static {
    /// What it finds.
    type Output: Send + 'static;

    /// Runs on a blocking thread.
    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError>;
}

/// Something that is written, together with others in one transaction (see
/// [`GroupCommit`](super::GroupCommit)).
///
/// An `Err` means that the database itself failed; whatever a caller may do wrong is an `Output`.
/// A write may be applied anew after its transaction was rolled back, so it must not remember.
pub trait Write: Send + 'static {
    /// What it did.
    type Output: Send + 'static;

    /// Applies writes of one kind, within the open transaction; one output for each, in order.
    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Self::Output>, StoreError>;
}

/// A [`Write`] that gains nothing from its neighbours: of several, one is applied after the other.
pub trait WriteOne: Send + 'static {
    /// What it did.
    type Output: Send + 'static;

    /// Applies it, within the open transaction.
    fn apply_one(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError>;
}

impl<W: WriteOne> Write for W {
    type Output = W::Output;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Self::Output>, StoreError> {
        batch.iter().map(|write| write.apply_one(conn)).collect()
    }
}

//! The interface of database work: data in, result out, independent of HTTP and actors.

use super::{DbConn, StoreError};

/// A read. Runs concurrently with writes, on a connection of the pool.
pub trait Query: Send + 'static {
    /// The result.
    type Output: Send + 'static;

    /// Runs the query, on a blocking thread.
    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError>;
}

/// A write, which shares a transaction with others (see [`GroupCommit`](super::GroupCommit)).
///
/// `Err` means that the database itself failed; mistakes of the caller are part of `Output`. After a rollback
/// a write may be applied again, so it must not keep state.
pub trait Write: Send + 'static {
    /// The result.
    type Output: Send + 'static;

    /// Applies writes of one kind within the open transaction; returns one output for each, in order.
    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Self::Output>, StoreError>;
}

/// A [`Write`] that gains nothing from batching: several are applied one by one.
pub trait WriteOne: Send + 'static {
    /// The result.
    type Output: Send + 'static;

    /// Applies the write within the open transaction.
    fn apply_one(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError>;
}

impl<W: WriteOne> Write for W {
    type Output = W::Output;

    fn apply(batch: &[&Self], conn: &mut DbConn) -> Result<Vec<Self::Output>, StoreError> {
        batch.iter().map(|write| write.apply_one(conn)).collect()
    }
}

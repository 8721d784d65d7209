//! Transactions, begun, committed and rolled back by hand, as the writers need them.

use super::connection::per_dialect;
use super::{DbConn, StoreError};
use diesel::connection::{AnsiTransactionManager, TransactionManager};

/// Runs `work` in a transaction, for callers with a connection of their own.
pub(super) fn transact<T>(
    conn: &mut DbConn,
    work: impl FnOnce(&mut DbConn) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    begin_transaction(conn)?;
    let result = work(conn).and_then(|done| commit_transaction(conn).map(|()| done));
    if result.is_err() {
        // If the rollback fails too, the transaction ends with the connection, when the command exits.
        let _ended = rollback_transaction(conn);
    }
    result
}

/// Begins a transaction. On SQLite it takes the write lock at once: a transaction that reads before it writes
/// could fail half-way.
pub(super) fn begin_transaction(conn: &mut DbConn) -> Result<(), StoreError> {
    match conn {
        DbConn::Postgres(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN")?,
        DbConn::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
    }
    Ok(())
}

pub(super) fn commit_transaction(conn: &mut DbConn) -> Result<(), StoreError> {
    per_dialect!(conn, conn => AnsiTransactionManager::commit_transaction(conn))?;
    Ok(())
}

pub(super) fn rollback_transaction(conn: &mut DbConn) -> Result<(), StoreError> {
    per_dialect!(conn, conn => AnsiTransactionManager::rollback_transaction(conn))?;
    Ok(())
}

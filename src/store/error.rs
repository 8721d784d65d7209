//! The errors of the store.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a query or a write failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue is full; nothing was done.
    #[error("the database has too much to do already")]
    Busy,
    /// The database can't be reached, or closed the connection.
    #[error("the database can't be reached: {0}")]
    Unavailable(String),
    /// The database gave this transaction up because of another one (deadlock, serialization failure, lock
    /// timeout, or a row that was deleted after it was read). Nothing was done, and a retry may succeed.
    #[error("another transaction was in the way: {0}")]
    Conflict(String),
    /// The database is reachable, but lacks a migration.
    #[error("migration {0} is pending: run `weauth migrate`")]
    Pending(String),
    /// The database rejected the statement: a bug of ours, or a full disk.
    #[error("the database refused: {0}")]
    Refused(String),
    /// The query panicked; others are not affected.
    #[error("a query crashed")]
    Crashed,
}

impl StoreError {
    /// Was the connection lost?
    pub fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                Self::Unavailable(info.message().to_owned())
            }
            DieselError::DatabaseError(
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::ForeignKeyViolation,
                info,
            ) => Self::Conflict(info.message().to_owned()),
            DieselError::DatabaseError(_, info) => {
                let message = info.message();
                if means_connection_lost(message) {
                    Self::Unavailable(message.to_owned())
                } else if means_conflict(message) {
                    Self::Conflict(message.to_owned())
                } else {
                    Self::Refused(message.to_owned())
                }
            }
            DieselError::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// libpq reports a dead server by text alone, and a server that shuts down as an ordinary error.
fn means_connection_lost(message: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "could not send data",
        "could not receive data",
        "connection not open",
        "is shutting down",
        "is starting up",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// Postgres's 40P01 and 55P03, for which diesel exposes only the text, and SQLite's `SQLITE_BUSY`.
fn means_conflict(message: &str) -> bool {
    const SIGNS: [&str; 3] = ["deadlock detected", "due to lock timeout", "database is locked"];
    SIGNS.iter().any(|sign| message.contains(sign))
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Unavailable(in_one_line(&error.to_string()))
    }
}

/// Joins the lines of a libpq message, and adds the remedy that one of them lacks.
fn in_one_line(message: &str) -> String {
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.contains("SSL support is not compiled in") {
        line.push_str(": build weauth with `--features postgres-tls`");
    }
    line
}

impl From<r2d2::Error> for StoreError {
    fn from(error: r2d2::Error) -> Self {
        Self::Unavailable(in_one_line(&error.to_string()))
    }
}

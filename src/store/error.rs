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
    /// The database gave this transaction up because of another one (deadlock, serialization failure, lock or
    /// statement timeout, or a row that was deleted after it was read). Nothing was done, and a retry may succeed.
    #[error("another transaction was in the way: {0}")]
    Conflict(String),
    /// The database is reachable, but lacks a migration.
    #[error("migration {0} is pending: run `weauth migrate`")]
    Pending(String),
    /// The database answers, but can't do its work for now, whatever the statement: its disk is full or broken, or it
    /// takes no writes.
    #[error("the database can't do its work: {0}")]
    Unable(String),
    /// The database rejected the statement: a bug of ours.
    #[error("the database refused: {0}")]
    Refused(String),
    /// The query panicked; others are not affected.
    #[error("a query crashed")]
    Crashed,
}

impl StoreError {
    /// Was the connection lost?
    pub(crate) fn is_connection_lost(&self) -> bool {
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
            DieselError::DatabaseError(_, info) => Self::saying(info.message()),
            DieselError::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl StoreError {
    /// The error that is known by its message alone: diesel does not expose SQLSTATE.
    fn saying(message: &str) -> Self {
        let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
        let kind = if says(&CONNECTION_LOST) {
            Self::Unavailable
        } else if says(&CONFLICT) {
            Self::Conflict
        } else if says(&UNABLE) {
            Self::Unable
        } else {
            Self::Refused
        };
        kind(message.to_owned())
    }
}

/// libpq reports a dead server by text alone, and a server that shuts down as an ordinary error.
const CONNECTION_LOST: [&str; 8] = [
    "server closed the connection",
    "terminating connection",
    "no connection to the server",
    "could not send data",
    "could not receive data",
    "connection not open",
    "is shutting down",
    "is starting up",
];

/// Postgres's 40P01, 55P03 and the 57014 of a statement that took too long, and SQLite's `SQLITE_BUSY`.
const CONFLICT: [&str; 4] =
    ["deadlock detected", "due to lock timeout", "due to statement timeout", "database is locked"];

/// What either database says of its disk, or as a standby.
const UNABLE: [&str; 7] = [
    "Disk quota exceeded",
    "disk is full",
    "No space left on device",
    "disk I/O error",
    "Input/output error",
    "in a read-only transaction",
    "readonly database",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ails_the_database_itself_is_no_fault_of_the_statement() {
        for message in [
            "could not extend file \"base/5/16389\": No space left on device",
            "could not read block 7 in file \"base/5/16389\": Input/output error",
            "cannot execute INSERT in a read-only transaction",
            "database or disk is full",
            "disk I/O error",
            "attempt to write a readonly database",
        ] {
            assert_eq!(StoreError::saying(message), StoreError::Unable(message.to_owned()));
        }
        // This one alone may be to blame, and not those that were grouped with it.
        let slow = "canceling statement due to statement timeout";
        assert_eq!(StoreError::saying(slow), StoreError::Conflict(slow.to_owned()));
        let another = "canceling statement due to user request";
        assert_eq!(StoreError::saying(another), StoreError::Refused(another.to_owned()));
    }
}

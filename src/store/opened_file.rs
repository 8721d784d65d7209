//! Detects that SQLite's file was deleted or replaced. A server would continue on the old file, which is lost
//! once it stops.

use super::StoreError;
use crate::domain::DatabaseUrl;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The identity of the database file when it was opened.
#[derive(Debug)]
pub struct OpenedFile {
    path: PathBuf,
    id: (u64, u64),
}

impl OpenedFile {
    /// The file of a SQLite database; `None` on Postgres.
    pub fn of(url: &DatabaseUrl) -> Option<Self> {
        let DatabaseUrl::Sqlite(path) = url else { return None };
        let path = PathBuf::from(path);
        Some(Self { id: id_of(&path)?, path })
    }

    /// Is the same file still there?
    pub fn check(&self) -> Result<(), StoreError> {
        if id_of(&self.path) == Some(self.id) {
            return Ok(());
        }
        let what =
            "its file was deleted or replaced; stop weauth, put the file in its place, and start again";
        Err(StoreError::Unavailable(what.into()))
    }
}

/// Device and inode.
fn id_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

//! The database: SQLite or Postgres, selected by the URL at run time. The only module that names diesel.
//!
//! There is one file per noun, with its rows and queries. Most queries are written once, in diesel's query
//! builder, over [`DbConn`]. What every login and refresh writes (`sign_in`, `rotate_session`, `last_logins`,
//! `recent_logins`) and a few others have hand-written SQL for each dialect, kept prepared by the macro in `prepared`.

mod api_keys;
mod audit;
mod checkpoint;
mod clock;
mod connection;
mod direct;
mod error;
mod exchanges;
mod expired_sessions;
mod group_commit;
mod identities;
mod introspect;
mod keys;
mod last_logins;
mod migrate;
mod opened_file;
mod prepared;
mod previous_keys;
mod query;
mod recent_logins;
mod revocations;
mod rotate_keys;
mod rotate_session;
mod schema;
mod sealed;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod times;
mod transaction;
mod user_changes;
mod user_deletion;
mod user_list;
mod user_roles;
mod user_status;
mod users;
mod walk;

pub use api_keys::{
    AddApiKey, FindApiKeysInUse, ListApiKeys, NoteApiKeyUses, RevokeApiKey, RevokedApiKey, StoredApiKey,
};
pub use audit::{AuditPlace, FindAddresses};
pub use checkpoint::{TruncateWal, start_checkpointer};
pub use clock::{ReadLatest, ReadNow};
pub use connection::{DbConn, Pool, Purpose, open_pool, ping};
pub use direct::Direct;
pub use error::StoreError;
pub use exchanges::{DeleteExchanges, FindExchange, FindOldExchanges, FoundExchange, LiveSession};
pub use expired_sessions::{DeleteExpiredSessions, FindExpiredSessions};
pub use group_commit::{GroupCommit, MAX_WAIT, Reply};
pub use identities::ListIdentities;
pub use introspect::{FindRefreshSession, RefreshSession};
pub use keys::{KeyPurpose, ListRetiredKeys, LoadKeys, NewKey, StoreFirstKeys, StoredKey};
pub use last_logins::NoteLogins;
pub use migrate::{CheckReady, CheckSchema, Migrator};
pub use opened_file::OpenedFile;
pub use previous_keys::{ClearPreviousKeys, FindPreviousKeys};
pub use query::{Query, Write, WriteOne};
pub use recent_logins::{
    DeleteOldLogins, FindFreshLogins, FindLatestCodes, FindOldLogins, ForgetFreshCodes, IndexCodes,
    IndexUserSessions,
};
pub use revocations::{DeleteOldNews, FindOldNews, FindRevocations};
pub use rotate_keys::{
    RaiseTokenSeconds, ResetKeys, RetireDueKeys, RetireKey, Retirement, RotateIf, RotateKey,
};
pub use rotate_session::{RotateSession, Rotation};
pub use sealed::{
    CountSealed, FindSealed, NoteResealing, Reseal, Resealed, SealedBite, SealedCursor, SealedPlace,
    SealedValue,
};
pub use sessions::{EndSessions, Ending, ListSessions};
pub use sign_in::{RecordSignIn, SignInRecord};
pub use user_changes::{ChangedUser, FindUserChanges, UserChange};
pub use user_deletion::DeleteUser;
pub use user_list::{ListUsers, UserPage};
pub use user_roles::ChangeRoles;
pub use user_status::SetUserStatus;
pub use users::FindUser;
pub use walk::Bite;

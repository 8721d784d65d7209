//! What the product does, in order. No HTTP here and no SQL.

mod api_keys;
mod follow_revocations;
mod introspect;
mod issue;
mod last_logins;
mod overlap;
mod purge;
mod revoke;
mod sessions;
mod sign_in;
mod start_keys;
mod users;

pub use api_keys::{ApiKeys, KnownApiKey};
pub use follow_revocations::{follow_revocations, load_revocations};
pub use introspect::{ActiveToken, Introspection};
pub use issue::{Issued, Issuer, TokenLifetimes};
pub use last_logins::LastLogins;
pub use purge::purge_forever;
pub use revoke::Revoking;
pub use sessions::{RefreshError, RefreshRequest, Sessions};
pub use sign_in::{SignIn, SignInError, SignInRequest};
pub use start_keys::{StartKeysError, start_keys};
pub use users::{KnownUser, Users};

//! What the product does, in order. No HTTP here and no SQL.

mod follow_revocations;
mod issue;
mod last_logins;
mod overlap;
mod purge;
mod sessions;
mod sign_in;
mod start_keys;
mod users;

pub use follow_revocations::FollowRevocations;
pub use issue::{Issued, Issuer, TokenLifetimes};
pub use last_logins::LastLogins;
pub use purge::purge_forever;
pub use sessions::{RefreshError, Sessions};
pub use sign_in::{SignIn, SignInError, SignInLimits, SignInRequest};
pub use start_keys::{StartKeysError, start_keys};
pub use users::{KnownUser, Users};

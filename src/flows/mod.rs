//! What the product does, in order. No HTTP here and no SQL.

mod last_logins;
mod overlap;
mod purge;
mod sign_in;
mod start_keys;
mod users;

pub use last_logins::LastLogins;
pub use purge::purge_forever;
pub use sign_in::{SignIn, SignInError, SignInRequest, SignInSettings, SignedIn};
pub use start_keys::{StartKeysError, start_keys};
pub use users::{KnownUser, Users};

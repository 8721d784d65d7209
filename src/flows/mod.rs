//! What the product does, in order. No HTTP here and no SQL.

mod api_keys;
mod check_clock;
mod follow_keys;
mod follow_revocations;
mod index_logins;
mod introspect;
mod issue;
mod last_logins;
mod login_brake;
mod new_keys;
mod overlap;
mod purge;
mod reencrypt;
mod revoke;
mod sessions;
mod sign_in;
mod start_keys;
mod to_the_end;
mod users;

pub use api_keys::{ApiKeys, KnownApiKey};
pub use check_clock::{ClockDifference, ClockOffset, SharedTime, shared_time};
pub use follow_keys::follow_keys;
pub use follow_revocations::FollowRevocations;
pub use index_logins::index_logins_forever;
pub use introspect::{ActiveToken, Introspection};
pub use issue::{Issued, Issuer, TokenLifetimes};
pub use last_logins::LastLogins;
pub use login_brake::LoginBrake;
pub use new_keys::new_signing_key;
pub use purge::purge_forever;
pub use reencrypt::{Reencrypted, Unopened, reencrypt};
pub use revoke::Revoking;
pub use sessions::{RefreshError, RefreshRequest, Sessions};
pub use sign_in::{SignIn, SignInError, SignInLimits, SignInRequest};
pub use start_keys::{KeyPolicy, ServerKeys, StartKeysError, master_key_fits};
pub use users::{KnownUser, Users};

//! The domain types. Input is parsed once, at the edge, into types that can only hold valid values. This
//! module does no I/O and depends on no other module but `crypto`.

mod actor;
mod api_key;
mod app;
mod client;
mod clock;
mod code;
mod database_url;
mod identity;
mod network;
mod rate;
mod refresh_token;
mod role;
mod rotation;
mod session;
mod signing_key;
mod user;
mod user_filter;

pub use actor::Actor;
pub use api_key::{ApiKey, ApiKeyHash, ApiKeyName, ApiScope, InvalidApiKeyName};
pub use app::{App, AppId, AppSecret, InvalidApp};
pub use client::{ClientInfo, MAX_USER_AGENT};
pub use clock::{Clock, InvalidTime, Time};
pub use code::{CodeHash, IdempotencyKey, InvalidCode, LoginCode, MAX_CODE};
pub(crate) use database_url::split_parameters;
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use identity::{Identity, OpenId, SessionKey, UnionId};
pub use network::{Cidr, InvalidCidr, client_address};
pub use rate::Rate;
pub use refresh_token::{RefreshToken, RefreshTokenMac};
pub use role::{Permission, RequestedScope, Role, RolePolicy, scope};
pub use rotation::{Burst, RefreshState, Worth};
pub use session::{Generation, Session, SessionId};
pub use signing_key::{KEPT_AFTER_LAST_TOKEN, KeyState, PUBLISHED_BEFORE_SIGNING, signing_place};
pub use user::{User, UserId, UserStatus, mask_phone};
pub use user_filter::{InvalidCursor, MAX_SEARCH, UserCursor, UserFilter, UserOrder, UserSearch, UserSort};

/// Defines an opaque text id: a UUIDv7, so that new keys arrive in an index in nearly ascending order.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Generates a new id; later ids sort after earlier ones.
            pub fn generate() -> Self {
                Self(uuid::Uuid::now_v7().simple().to_string())
            }

            /// Wraps a stored id without validating it.
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
use text_id;

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
mod lifetimes;
mod network;
mod rate;
mod refresh_token;
mod role;
mod rotation;
mod session;
mod signing_key;
mod text;
mod user;
mod user_filter;

pub use actor::Actor;
pub use api_key::{ApiKey, ApiKeyHash, ApiKeyName, ApiScope};
pub use app::{App, AppId, AppSecret, InvalidApp};
pub use client::{ClientInfo, MAX_USER_AGENT};
pub use clock::{Clock, InvalidTime, Time};
pub use code::{CodeHash, CodeKey, IdempotencyKey, InvalidCode, LoginCode};
pub(crate) use database_url::split_parameters;
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use identity::{Identity, OpenId, SessionKey, UnionId};
pub use lifetimes::Lifetimes;
pub use network::{Cidr, InvalidCidr, client_address, is_this_machine};
pub use rate::Rate;
pub use refresh_token::{RefreshToken, RefreshTokenMac};
pub use role::{Permission, RequestedScope, Role, RolePolicy, scope};
pub use rotation::{Burst, RefreshState, Verdict};
pub use session::{Generation, Session, SessionId};
pub use signing_key::{KEPT_AFTER_LAST_TOKEN, KeyState, PUBLISHED_BEFORE_SIGNING, signing_place};
pub use text::{first_id_at, id_at, time_of_id};
pub use user::{User, UserId, UserStatus, mask_phone};
pub use user_filter::{UserCursor, UserFilter, UserOrder, UserSearch, UserSort};

//! The HTTP interface: routes, extractors, and the one table that chooses statuses.

mod access;
mod access_log;
mod answer;
mod api_key;
mod arrival;
mod authenticated_user;
mod authorization;
mod body;
pub mod demo;
mod fields;
mod health;
mod introspect;
mod jwks;
mod kept_payload;
mod language;
mod login;
mod me;
mod metadata;
pub mod problem;
mod refresh;
mod request_id;
mod revoke;
mod routes;
mod server;
mod sessions;
mod state;
mod token;
mod token_view;
mod user_view;
mod verify;

pub use access::with_access_log;
pub use authenticated_user::AuthenticatedUser;
pub use routes::{extractor_state, routes};
pub use server::{MoreRoutes, ServerSettings, start};
pub use state::HttpState;
pub(crate) use user_view::{UserDetailView, UserPageView, UserView};

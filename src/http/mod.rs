//! The outside: routes, extractors, and the one table that chooses statuses.

mod access;
mod authenticated_user;
pub mod demo;
mod fields;
mod health;
mod jwks;
mod language;
mod login;
mod me;
pub mod problem;
mod refresh;
mod request_id;
mod routes;
mod server;
mod sessions;
mod token_view;
mod user_view;

pub use access::observed;
pub use authenticated_user::AuthenticatedUser;
pub use routes::{HttpState, everything, extractor_state};
pub use server::{MoreRoutes, RunningServer, ServerSettings, start};
pub(crate) use user_view::{UserDetailView, UserPageView, UserView};

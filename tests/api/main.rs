//! The server as its clients see it: the real binary over real HTTP, on both databases.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod api_keys;
mod causes;
mod clients;
mod clock;
mod commands;
mod configuration;
mod durability;
mod harness;
mod health;
mod http_errors;
mod introspect;
mod jwt;
mod keys;
mod languages;
mod limits;
mod login;
mod login_brake;
mod master_key;
mod metadata;
mod nginx;
mod one_code;
#[cfg(feature = "postgres-tls")]
mod postgres_tls;
mod revoke;
mod session_limit;
mod sessions;
mod simulated;
mod stalled;
mod standing;
mod token_endpoint;
mod tokens;
mod upstream;
mod user_list;
mod users;
mod verify;

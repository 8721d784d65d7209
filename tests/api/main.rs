//! The server as its clients meet it: the real binary over real HTTP, on both databases.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod commands;
mod configuration;
mod durability;
mod harness;
mod health;
mod http_errors;
mod jwt;
mod limits;
mod login;
mod one_code;
mod session_limit;
mod sessions;
mod simulated;
mod standing;
mod tokens;
mod upstream;
mod user_list;
mod users;

//! Access tokens (RFC 9068): keys, issuing and verification. The only module that names `jsonwebtoken`.

mod claims;
mod key;
mod key_ring;
mod memory;
mod revocations;
mod standing;
#[cfg(test)]
mod tests;
mod verify;

pub use crate::crypto::KeyError;
pub use claims::{AccessToken, Principal};
pub use key::SigningKey;
pub use key_ring::KeyRing;
pub use revocations::Revocations;
pub use standing::{Standing, StandingState};
pub use verify::{TokenError, Verifier};

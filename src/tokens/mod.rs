//! Access tokens (RFC 9068): the keys, issuing, verifying. The only folder that names `jsonwebtoken`.

mod claims;
mod key;
mod key_ring;
mod memory;
mod revocations;
mod standing;
mod verify;

pub use claims::{AccessToken, Principal};
pub use key::{Algorithm, InvalidKey, SigningKey};
pub use key_ring::KeyRing;
pub use memory::TokenMemory;
pub use revocations::Revocations;
pub use standing::{Standing, StandingState};
pub use verify::{TokenError, Verifier};

//! The lifetimes that an operator sets.

/// How long tokens, and what answers a client's retries, are good; all in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// How long an access token lives.
    pub access: i64,
    /// How long a refresh token lives unless it is used.
    pub refresh: i64,
    /// How long a refresh token that was just replaced still answers.
    pub grace: i64,
    /// How long a login repeated with its `Idempotency-Key` is answered again; 0: never.
    pub replay: i64,
}

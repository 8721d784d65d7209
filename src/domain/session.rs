//! A session: one sign-in of one user on one device, from login until it ends.

super::text_id! {
    /// The id of a session (`sid` in an access token).
    SessionId
}

/// How often a session's refresh token has turned; the first one is 1.
pub type Generation = i32;

//! A session: one sign-in of one user on one device, from login until it ends.

super::text::text_id! {
    /// The id of a session (`sid` in an access token).
    SessionId
}

impl SessionId {
    /// Parses an id in our format, 32 lowercase hexadecimal digits; `None` for other text, which names no session.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }
}

/// The number of a session's refresh token, starting at 1 and increased by each rotation.
pub type Generation = i32;

/// A session as its user sees it: a device that is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The mini-program.
    pub app: super::AppId,
    /// When it was opened.
    pub created_at: super::Time,
    /// When it was last refreshed.
    pub last_used_at: super::Time,
    /// The address the login came from.
    pub ip: Option<String>,
    /// The `User-Agent` of the login.
    pub user_agent: Option<String>,
}

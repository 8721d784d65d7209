//! Where the data lie: the scheme of the URL chooses the database, nothing is guessed.

use secrecy::{ExposeSecret, SecretString};

/// Why a text is not a database URL; never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// No scheme, or another one.
    #[error("a database URL begins with `sqlite://` (then a path) or `postgres://`")]
    Scheme,
    /// `sqlite://` and nothing after it, or `:memory:`, which every connection would see empty.
    #[error("`sqlite://` is followed by the path of a file")]
    SqlitePath,
}

/// A database: a SQLite file or a Postgres server. `Debug` hides the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The path of a SQLite file, made where it is missing.
    Sqlite(String),
    /// A `postgres://` URL as libpq reads it.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Reads `sqlite://PATH` or `postgres://…` (`postgresql://` too).
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let is_file = !path.is_empty() && !path.starts_with(":memory:") && !path.contains('?');
            return if is_file {
                Ok(Self::Sqlite(path.to_owned()))
            } else {
                Err(InvalidDatabaseUrl::SqlitePath)
            };
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self::Postgres(SecretString::from(text))),
            _ => Err(InvalidDatabaseUrl::Scheme),
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The URL without user and password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{path}"),
            Self::Postgres(url) => {
                let rest = url.expose_secret().split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split('?').next().unwrap_or_default();
                write!(f, "postgres://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_and_nothing_is_guessed() {
        assert!(
            matches!(DatabaseUrl::parse("sqlite://weauth.db"), Ok(DatabaseUrl::Sqlite(path)) if path == "weauth.db")
        );
        assert!(matches!(DatabaseUrl::parse("postgres://u:p@h/db"), Ok(DatabaseUrl::Postgres(_))));
        for wrong in ["", "weauth.db", "host=localhost", "mysql://h/db", "postgres://", "sqlite:weauth.db"] {
            assert_eq!(DatabaseUrl::parse(wrong).unwrap_err(), InvalidDatabaseUrl::Scheme, "{wrong}");
        }
        assert_eq!(DatabaseUrl::parse("sqlite://").unwrap_err(), InvalidDatabaseUrl::SqlitePath);
        assert_eq!(DatabaseUrl::parse("sqlite://:memory:").unwrap_err(), InvalidDatabaseUrl::SqlitePath);
    }

    #[test]
    fn the_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgres://user:hunter2@host:5432/db?password=hunter2").unwrap();
        assert_eq!(format!("{url:?} {url}"), "postgres://host:5432/db postgres://host:5432/db");
    }
}

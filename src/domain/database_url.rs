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
                let (place, parameters) = split_parameters(url.expose_secret());
                let place = place.split_once("://").map_or("", |(_, place)| place);
                let shown = match place.rsplit_once('@') {
                    Some((_, place)) => place,
                    // What comes before it may be a password in a wrong form.
                    None if parameters.is_some_and(|parameters| parameters.contains('@')) => "…",
                    None => place,
                };
                write!(f, "postgres://{shown}")
            }
        }
    }
}

/// A Postgres URL up to its parameters, and these. As libpq reads it: user and password end at an `@` before the first
/// `/`, and may hold a `?`.
pub(crate) fn split_parameters(url: &str) -> (&str, Option<&str>) {
    let begin = url.find("://").map_or(0, |scheme| scheme + 3);
    let user = url[begin..].find(['@', '/']).filter(|at| url[begin + at..].starts_with('@'));
    let place = begin + user.unwrap_or_default();
    match url[place..].find('?') {
        Some(at) => (&url[..place + at], Some(&url[place + at + 1..])),
        None => (url, None),
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
        for (url, shown) in [
            ("postgres://user:hunter2@host:5432/db?password=hunter2", "postgres://host:5432/db"),
            ("postgres://user:hun?ter2@host/db?sslmode=require", "postgres://host/db"),
            ("postgres://user:hun@ter2@host/db", "postgres://host/db"),
            ("postgres://user:hun/t?er2@host/db", "postgres://…"),
            ("postgresql://host/db", "postgres://host/db"),
        ] {
            let url = DatabaseUrl::parse(url).unwrap();
            assert_eq!(format!("{url:?} {url}"), format!("{shown} {shown}"));
        }
    }
}

//! The database URL. Its scheme alone selects the database.

use super::is_this_machine;
use secrecy::{ExposeSecret, SecretString};

/// Why a text is not a database URL; never shows the text, which may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// The scheme is missing or unknown.
    #[error("a database URL begins with `sqlite://` (then a path) or `postgres://`")]
    Scheme,
    /// `sqlite://` without a path, or with `:memory:`, which is a separate, empty database for every connection.
    #[error("`sqlite://` is followed by the path of a file")]
    SqlitePath,
    /// The rest of a Postgres URL is malformed. libpq's message would say more, but may quote the password.
    #[error(
        "a Postgres URL is `postgres://USER:PASSWORD@HOST:PORT/NAME?PARAMETER=VALUE`; in user and password every \
         character but letters, digits and `-._~` is written as `%` and two hexadecimal digits (`@` as `%40`)"
    )]
    PostgresForm,
}

/// A database: a SQLite file or a Postgres server. `Debug` hides the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The path of a SQLite file, which is created if missing.
    Sqlite(String),
    /// A `postgres://` URL in libpq's syntax.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Parses `sqlite://PATH`, `postgres://…` or `postgresql://…`.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let is_file = !path.is_empty()
                && !path.starts_with(":memory:")
                && !path.starts_with("file:")
                && !path.contains('?');
            return if is_file {
                Ok(Self::Sqlite(path.to_owned()))
            } else {
                Err(InvalidDatabaseUrl::SqlitePath)
            };
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => {
                let sound = is_sound(text).then(|| Self::Postgres(SecretString::from(text)));
                sound.ok_or(InvalidDatabaseUrl::PostgresForm)
            }
            _ => Err(InvalidDatabaseUrl::Scheme),
        }
    }

    /// Is this a Postgres server on another machine, with a URL that doesn't set `sslmode`?
    ///
    /// libpq's default then falls back to an unencrypted connection.
    pub(crate) fn may_be_in_clear(&self) -> bool {
        let Self::Postgres(url) = self else { return false };
        let (place, parameters) = split_parameters(url.expose_secret());
        let parameter = |name: &str| {
            let mut pairs = parameters?.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(given, value)| (given == name).then_some(value))
        };
        let hosts = place[begin_of_place(place)..].split('/').next().unwrap_or_default();
        let hosts = parameter("hostaddr").or(parameter("host")).unwrap_or(hosts);
        parameter("sslmode").is_none() && !hosts.split(',').all(is_local)
    }
}

/// Is the host a Unix socket or a loopback address, with or without a port?
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(host) => host.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.is_empty() || name.starts_with(['/', '%']) || is_this_machine(name)
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
                let (place, _) = split_parameters(url.expose_secret());
                write!(f, "postgres://{}", &place[begin_of_place(place)..])
            }
        }
    }
}

/// Will libpq accept the form of this URL?
fn is_sound(url: &str) -> bool {
    let (place, parameters) = split_parameters(url);
    let place = &place[begin_of_place(url)..];
    let hosts = place.split('/').next().unwrap_or_default();
    let is_port = |rest: &str| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_host = |host: &str| match host.strip_prefix('[') {
        Some(host) => host.split_once(']').is_some_and(|(host, rest)| !host.is_empty() && is_port(rest)),
        None => is_port(host.find(':').map_or("", |at| &host[at..])),
    };
    let encoded = |part: &str| {
        let digits = part.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
    };
    !url.contains(|c: char| c.is_whitespace() || c.is_control())
        && url.split('%').skip(1).all(encoded)
        && !place.contains('@')
        && hosts.split(',').all(is_host)
        && parameters.is_none_or(|given| given.split('&').all(|pair| pair.is_empty() || pair.contains('=')))
}

/// Splits a Postgres URL into the part before its parameters and the parameters.
pub(crate) fn split_parameters(url: &str) -> (&str, Option<&str>) {
    let place = begin_of_place(url);
    match url[place..].find('?') {
        Some(at) => (&url[..place + at], Some(&url[place + at + 1..])),
        None => (url, None),
    }
}

/// The offset of the host in a Postgres URL. As in libpq, user and password end at an `@` before the first
/// `/`, and may contain a `?`.
fn begin_of_place(url: &str) -> usize {
    let begin = url.find("://").map_or(0, |scheme| scheme + 3);
    let user = url[begin..].find(['@', '/']).filter(|at| url[begin + at..].starts_with('@'));
    begin + user.map_or(0, |at| at + 1)
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
    fn what_libpq_would_quote_is_refused_before() {
        for good in [
            "postgres://h",
            "postgres:///db",
            "postgresql://u@h:5432,h2:5433/db?target_session_attrs=read-write",
            "postgres://u:p%40ss%25:word!@[::1]:5432/db?sslmode=require&options=-c%20x%3D1",
            "postgres://h/db?user=a@b",
            "postgres://u:p?ss@h/db?",
            "postgres://h:/db?sslmode=disable&",
            "postgres://%2Fvar%2Frun%2Fpostgresql/db",
            "postgres:///db?host=/run/postgresql",
        ] {
            assert!(DatabaseUrl::parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "postgres://u:hunter2 x@h/db",
            "postgres://u:hun%ter2@h/db",
            "postgres://u:hun%00ter2@h/db",
            "postgres://u:hunter2%@h/db",
            "postgres://u:hun@ter2@h/db",
            "postgres://u:hun/ter2@h/db",
            "postgres://u:123/ter2@h/db",
            "postgres://u:hunter2",
            "postgres://u:p@[::1]:x/db",
            "postgres://u:hunter2@[::1]x/db",
            "postgres://u:hunter2@[]:5432/db",
            "postgres://u:hunter2@[localhost/db",
            "postgres://u:hun%+5ter2@h/db",
            "postgres://h/db?password=s3 cr3t",
            "postgres://h/db?hunter2",
        ] {
            assert_eq!(DatabaseUrl::parse(wrong).unwrap_err(), InvalidDatabaseUrl::PostgresForm, "{wrong}");
        }
    }

    #[test]
    fn a_connection_to_another_machine_may_be_in_the_clear_unless_the_url_says() {
        let may_be = |url: &str| DatabaseUrl::parse(url).unwrap().may_be_in_clear();
        for other in
            ["postgres://u:p@db/x", "postgres://127.0.0.1,10.0.0.5/x", "postgres:///x?hostaddr=10.0.0.5"]
        {
            assert!(may_be(other), "{other}");
        }
        for told in [
            "postgres://db/x?sslmode=disable",
            "postgres://u:p@localhost:5432/x",
            "postgres://[::1]:5432/x",
            "postgres:///x?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/x",
            "sqlite://x.db",
        ] {
            assert!(!may_be(told), "{told}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://user:hunter2@host:5432/db?password=hunter2", "postgres://host:5432/db"),
            ("postgres://user:hun?ter2@host/db?sslmode=require", "postgres://host/db"),
            ("postgresql://host/db", "postgres://host/db"),
        ] {
            let url = DatabaseUrl::parse(url).unwrap();
            assert_eq!(format!("{url:?} {url}"), format!("{shown} {shown}"));
        }
    }
}

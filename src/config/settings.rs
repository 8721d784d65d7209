//! The one table of settings, read for parsing, defaults, `--help` and the check for unknown keys.
//!
//! A new setting is one row here and one line where its value is read.

use std::fmt::{Display, Formatter};

/// The form of a setting's value, in the environment and in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A string.
    Text,
    /// Several strings: comma-separated in the environment, an array in the file.
    List,
    /// A whole number.
    Number {
        /// What is counted: `seconds`, `threads`.
        unit: &'static str,
        /// Its bounds.
        bounds: Bounds,
    },
}

/// From `least` to `most`, inclusive, and 0 if that means "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    least: u32,
    most: u32,
    or_never: bool,
}

impl Bounds {
    /// Is this number within the bounds?
    pub(super) fn contain(self, number: u32) -> bool {
        (self.least..=self.most).contains(&number) || self.or_never && number == 0
    }
}

impl Display for Bounds {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { least, most, or_never } = self;
        write!(f, "{}{least} to {most}", if *or_never { "0 or " } else { "" })
    }
}

/// What applies if a setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, read as if it were given.
    Value(&'static str),
    /// What these words describe.
    Words(&'static str),
}

/// One setting: an environment variable and the equivalent key of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The form of its value.
    pub form: Form,
    /// What applies if it is not given.
    pub fallback: Fallback,
    /// What it is for, as `--help` shows it.
    pub meaning: &'static str,
}

impl Setting {
    /// Its key in the file: the variable's name in lower case.
    pub fn key(&self) -> String {
        self.variable.to_ascii_lowercase()
    }

    /// The default, for people to read.
    pub fn default_text(&self) -> &'static str {
        match self.fallback {
            Value(text) | Words(text) => text,
        }
    }
}

/// actix takes no more.
pub(super) const MAX_WORKERS: u32 = 512;

/// The names of the tables that only the file can hold, besides the settings.
pub const TABLES: &[&str] = &["apps", "roles"];

/// Ten years: anyone who gives more has mistaken the unit.
const TEN_YEARS: u32 = 10 * 365 * 86_400;
const DAY: u32 = 86_400;

/// The maximum grace period, as during it a stolen refresh token is accepted even after it was replaced; and the minimum
/// age of a signing key, as verifiers fetch each new one.
const HOUR: u32 = 3600;

const fn number(unit: &'static str, least: u32, most: u32) -> Form {
    Form::Number { unit, bounds: Bounds { least, most, or_never: false } }
}

const fn seconds(least: u32, most: u32) -> Form {
    number("seconds", least, most)
}

const fn seconds_or_never(least: u32, most: u32) -> Form {
    Form::Number { unit: "seconds", bounds: Bounds { least, most, or_never: true } }
}

const fn count(unit: &'static str, most: u32) -> Form {
    number(unit, 1, most)
}

macro_rules! settings {
    ($($name:ident, $form:expr, $fallback:expr, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $name: Setting = Setting {
                variable: stringify!($name),
                form: $form,
                fallback: $fallback,
                meaning: $meaning,
            };
        )*

        /// Every setting, in the order of `--help`.
        pub static ALL: &[&Setting] = &[$(&$name),*];
    };
}

use Fallback::{Value, Words};
use Form::{List, Text};

settings! {
    DATABASE_URL, Text, Value("sqlite://weauth.db"),
        "Where the data is stored: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.";
    WECHAT_APPID, Text, Words("none"),
        "The appid of the one mini-program; several go in the file as `[[apps]]`.";
    WECHAT_SECRET, Text, Words("none"),
        "The AppSecret that belongs to WECHAT_APPID, from mp.weixin.qq.com; examples are refused.";
    WECHAT_API_BASE, Text, Value("https://api.weixin.qq.com"),
        "WeChat's API, the simulator (`weauth simulate`) or a disaster-recovery domain.";
    WEAUTH_LISTEN, Text, Value("127.0.0.1:8080"),
        "The address and port to listen on; port 0 takes a free one.";
    WEAUTH_PUBLIC_URL, Text, Words("http:// and the address listened on"),
        "The URL under which clients reach this server; the issuer (`iss`) of its tokens.";
    WEAUTH_TRUSTED_PROXIES, List, Words("none"),
        "The proxies whose X-Forwarded-For is trusted: networks like 10.0.0.0/8.";
    WEAUTH_MASTER_KEY, Text, Words("none; `weauth dev` makes one"),
        "Base64 of 32 random bytes (`openssl rand -base64 32`); encrypts session keys and signing keys at rest. \
         To rotate it: the new key, a comma, the old key.";
    WEAUTH_ACCESS_TTL, seconds(1, TEN_YEARS), Value("7200"),
        "Lifetime of an access token.";
    WEAUTH_REFRESH_TTL, seconds(1, TEN_YEARS), Value("2592000"),
        "Lifetime of a refresh token; each refresh renews it.";
    WEAUTH_REFRESH_GRACE, seconds(0, HOUR), Value("10"),
        "How long a refresh token that was just replaced still works.";
    WEAUTH_REPLAY_WINDOW, seconds(0, DAY), Value("300"),
        "How long a login repeated with the same code and Idempotency-Key is answered again; 0: never.";
    WEAUTH_MAX_SESSIONS, number("sessions", 0, 1000), Value("0"),
        "Sessions that a user may have at once; a login beyond that ends the oldest. 0: any number.";
    WEAUTH_RATE_LIMIT, number("logins", 0, 10_000_000),
        Words("60000, and any number from this machine itself"),
        "Logins per minute from one client address (if set, also from this machine); more are answered 429. \
         0: any number.";
    WEAUTH_SIGNING_ALGORITHM, Text, Value("EdDSA"),
        "How access tokens are signed: EdDSA, ES256 or RS256; the next start adds a key of that kind.";
    WEAUTH_KEY_MAX_AGE, seconds_or_never(HOUR, TEN_YEARS), Value("0"),
        "The age at which a signing key is replaced by a new one; 0: never.";
    WEAUTH_WORKERS, count("threads", MAX_WORKERS), Words("the number of cores"),
        "Threads that answer HTTP.";
    WEAUTH_MAX_CONNECTIONS, count("connections", 1_000_000), Value("20000"),
        "HTTP connections open at once, over all threads; more wait to be accepted.";
    WEAUTH_MAX_IN_FLIGHT, count("logins", 1_000_000), Value("20000"),
        "Logins that may wait for WeChat at once; more are answered 503.";
    WEAUTH_DATABASE_CONNECTIONS, count("connections", 1024), Value("4"),
        "Connections to the database for reads; a few more follow the other nodes and write.";
    RUST_LOG, Text, Value("info"),
        "What is logged: a level, or a list like `info,weauth=debug`.";
    WEAUTH_LOG_FORMAT, Text, Value("text"),
        "`text` for people, `json` for one JSON object a line.";
}

/// The settings as shown at the end of `--help`.
pub fn help() -> String {
    let mut help = String::from(
        "Settings: an environment variable, or the same name in lower case as a key of the file (TOML);\n\
         the environment overrides the file, and an empty variable counts as not set.\n",
    );
    for setting in ALL {
        let bounds = match setting.form {
            Form::Number { unit, bounds } => format!(" {unit}, {bounds}"),
            List => " comma-separated; in the file an array".to_owned(),
            Text => String::new(),
        };
        let (variable, default, meaning) = (setting.variable, setting.default_text(), setting.meaning);
        help.push_str(&format!("\n  {variable}  [default: {default}]{bounds}\n      {meaning}\n"));
    }
    help.push_str(
        "\nOnly in the file:\n\
         \n  [[apps]]  one for each mini-program: `appid`, `secret` and optionally `name`\
         \n  [roles.NAME]  `permissions`, an array of names: what the role NAME permits\n",
    );
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_setting_with_its_default_and_meaning() {
        let help = help();
        for setting in ALL {
            assert!(help.contains(setting.variable) && help.contains(setting.meaning), "{setting:?}");
            assert!(help.contains(&format!("{}  [default: {}]", setting.variable, setting.default_text())));
        }
    }

    #[test]
    fn the_readmes_show_every_setting_with_its_default() {
        let readmes = [include_str!("../../README.md"), include_str!("../../README.zh-CN.md")];
        for (readme, setting) in readmes.iter().flat_map(|readme| ALL.iter().map(move |one| (readme, one))) {
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", setting.variable)));
            let row = row.unwrap_or_else(|| panic!("no row for {}", setting.variable));
            if let Value(default) = setting.fallback {
                assert!(row.contains(&format!("| `{default}` |")), "{row}");
            }
        }
    }

    #[test]
    fn every_default_number_is_within_its_bounds() {
        for setting in ALL {
            if let (Form::Number { bounds, .. }, Value(text)) = (setting.form, setting.fallback) {
                assert!(bounds.contain(text.parse().unwrap()), "{setting:?}");
            }
        }
    }
}

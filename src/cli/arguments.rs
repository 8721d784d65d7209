//! The arguments of the command line.

use super::keys::KeysArguments;
use super::users::UsersArguments;
use crate::config::{parse_listen, parse_loopback, settings};
use crate::domain::{App, AppId, AppSecret};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error, Parser, Subcommand};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Login for WeChat mini-programs: one server between wx.login and your own backend.
#[derive(Debug, Parser)]
#[command(name = "weauth", version, about, after_help = settings::help(), max_term_width = 110)]
pub(super) struct Arguments {
    /// The settings file (TOML); by default weauth.toml in the working directory, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Action,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Runs everything in one process without setup: an SQLite file, the WeChat simulator, generated keys.
    /// For trying out; reachable from this machine only.
    Dev(DevArguments),
    /// Runs the production server; refuses to start on a missing, malformed or example setting.
    #[command(after_help = settings::help())]
    Serve,
    /// Applies pending migrations to the database (DATABASE_URL).
    Migrate(MigrateArguments),
    /// Runs the WeChat simulator alone, for tests of other programs.
    Simulate(SimulateArguments),
    /// Manages users: list, ban, roles, sessions, delete.
    Users(UsersArguments),
    /// Manages the keys that sign access tokens, and the API keys of backends.
    Keys(KeysArguments),
}

/// The arguments of `weauth dev`.
#[derive(Debug, Args)]
pub(super) struct DevArguments {
    /// The loopback address and port to listen on; overrides WEAUTH_LISTEN.
    #[arg(long, value_name = "ADDR", value_parser = parse_loopback)]
    pub(super) listen: Option<SocketAddr>,
}

/// The arguments of `weauth migrate`.
#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    /// Lists the migrations and whether each is applied; changes nothing.
    #[arg(long, conflicts_with = "revert")]
    pub(super) status: bool,
    /// Reverts the latest N migrations; the data that only they hold is lost.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) revert: Option<u32>,
}

/// The arguments of `weauth simulate`.
#[derive(Debug, Args)]
pub(super) struct SimulateArguments {
    /// The address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081", value_parser = parse_listen)]
    pub(super) listen: SocketAddr,
    /// A mini-program that the simulator knows; may be repeated.
    #[arg(long = "app", value_name = "APPID:SECRET", value_parser = AppParser)]
    pub(super) apps: Vec<App>,
}

/// Reads `APPID:SECRET`; unlike those of a parsing function, its errors do not show the input.
#[derive(Debug, Clone)]
struct AppParser;

impl TypedValueParser for AppParser {
    type Value = App;

    fn parse_ref(&self, cmd: &Command, _arg: Option<&Arg>, value: &OsStr) -> Result<App, Error> {
        let text = value.to_string_lossy();
        parse_app(&text).map_err(|why| {
            Error::raw(ErrorKind::ValueValidation, format!("--app APPID:SECRET: {why}\n")).with_cmd(cmd)
        })
    }
}

fn parse_app(text: &str) -> Result<App, String> {
    let (id, secret) = text.split_once(':').ok_or("give the appid, a colon and the secret")?;
    let id = AppId::parse(id).map_err(|error| error.to_string())?;
    let secret = AppSecret::parse_simulated(secret).map_err(|error| error.to_string())?;
    Ok(App { name: id.to_string(), id, secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn read(arguments: &[&str]) -> Result<Arguments, Error> {
        Arguments::try_parse_from([&["weauth"], arguments].concat())
    }

    #[test]
    fn help_explains_every_command_and_names_every_variable() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        for command in ["dev", "serve", "migrate", "simulate", "users", "keys", "--config"] {
            assert!(help.contains(command), "{command}");
        }
        for setting in settings::ALL {
            assert!(help.contains(setting.variable), "{help}");
        }
    }

    #[test]
    fn every_command_takes_the_file_before_or_after_its_name() {
        for arguments in [["--config", "a.toml", "serve"], ["serve", "--config", "a.toml"]] {
            assert_eq!(read(&arguments).unwrap().config.unwrap().to_str(), Some("a.toml"));
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for wrong in [
            &[][..],
            &["check"],
            &["serve", "--listen", "x"],
            &["migrate", "--status", "--revert", "1"],
            &["migrate", "--revert", "0"],
            &["dev", "--listen", "8080"],
        ] {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn the_simulator_takes_several_apps_and_never_shows_a_secret() {
        let one = "wx0123456789abcdef:9f86d081884c7d659a2feaa0c55ad015";
        let two = "wx1111111111111112:60303ae22b998861bce3b28f33eec1be";
        let arguments = read(&["simulate", "--app", one, "--app", two]).unwrap();
        let Action::Simulate(simulate) = arguments.command else { panic!("another command") };
        assert_eq!((simulate.apps.len(), simulate.listen.port()), (2, 8081));
        let error = read(&["simulate", "--app", "wx0123456789abcdef:hunter2"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(!error.to_string().contains("hunter2") && error.to_string().contains("AppSecret"), "{error}");
    }
}

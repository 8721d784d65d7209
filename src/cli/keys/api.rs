//! `weauth keys api`: adds, lists and revokes the API keys of backends.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, print_json, print_table, shared_now, tell};
use crate::config::Sources;
use crate::domain::{ApiKey, ApiKeyName, ApiScope, Time};
use crate::store::{AddApiKey, ListApiKeys, RevokeApiKey, RevokedApiKey, StoredApiKey};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::Write;

/// The arguments of `weauth keys api`.
#[derive(Debug, Args)]
pub(super) struct ApiArguments {
    #[command(subcommand)]
    action: ApiAction,
}

#[derive(Debug, Subcommand)]
enum ApiAction {
    /// Adds an API key and prints only the key on standard output. It is never shown again.
    Add(AddArguments),
    /// Lists the API keys, including revoked ones; of each key only how it begins.
    List(ListArguments),
    /// Revokes an API key; every server refuses it within a second.
    Revoke(RevokeArguments),
}

#[derive(Debug, Args)]
struct AddArguments {
    /// The key's name, also its client_id: 1 to 64 letters, digits, `.`, `_`, `-`.
    #[arg(value_parser = ApiKeyName::parse)]
    name: ApiKeyName,
    /// What the key may do; may be repeated. users:read includes audit:read and stats:read.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope_parser())]
    scopes: Vec<ApiScope>,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RevokeArguments {
    /// The key's name.
    #[arg(value_parser = ApiKeyName::parse)]
    name: ApiKeyName,
}

fn scope_parser() -> impl TypedValueParser<Value = ApiScope> {
    PossibleValuesParser::new(ApiScope::ALL.map(ApiScope::as_str))
        .try_map(|text| ApiScope::parse(&text).ok_or("there is no such scope"))
}

pub(super) fn run(sources: &Sources, arguments: &ApiArguments) -> Result<(), Failure> {
    match &arguments.action {
        ApiAction::Add(add) => add.run(sources),
        ApiAction::List(list) => list.run(sources),
        ApiAction::Revoke(revoke) => revoke.run(sources),
    }
}

impl AddArguments {
    fn run(&self, sources: &Sources) -> Result<(), Failure> {
        let (name, key) = (&self.name, ApiKey::generate());
        let mut scopes = Vec::new();
        for scope in &self.scopes {
            if !scopes.contains(scope) {
                scopes.push(*scope);
            }
        }
        let mut database = open_database(sources)?;
        let add = AddApiKey {
            hash: key.hash(),
            name: name.clone(),
            hint: key.hint(),
            scopes,
            at: shared_now(&mut database)?,
            by: operator(),
        };
        if !database.commit(&add)? {
            return Err(Failure::new(format!(
                "there is already an API key named {name}; choose another name, or `weauth keys api revoke {name}` first"
            )));
        }
        writeln!(std::io::stdout(), "{}", key.expose()).map_err(|error| {
            Failure::new(format!(
                "the API key {name} was added but could not be printed ({error}): `weauth keys api revoke {name}`"
            ))
        })?;
        tell(&format!("API key {name} was added; keep it now, it is not shown again"));
        Ok(())
    }
}

/// An API key as shown.
#[derive(Serialize)]
struct ApiKeyView {
    name: ApiKeyName,
    scopes: Vec<&'static str>,
    /// The beginning of the key.
    hint: String,
    created_at: Time,
    last_used_at: Option<Time>,
    revoked_at: Option<Time>,
}

#[derive(Serialize)]
struct ApiKeysView {
    items: Vec<ApiKeyView>,
}

impl ApiKeyView {
    fn of(key: StoredApiKey) -> Self {
        Self {
            name: key.name,
            scopes: key.scopes.into_iter().map(ApiScope::as_str).collect(),
            hint: key.hint,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }

    fn into_row(self) -> Vec<String> {
        let shown = |time: Option<Time>| time.map_or_else(|| "-".to_owned(), Time::rfc3339);
        vec![
            self.name.to_string(),
            self.scopes.join(" "),
            format!("{}…", self.hint),
            self.created_at.rfc3339(),
            shown(self.last_used_at),
            shown(self.revoked_at),
        ]
    }
}

impl ListArguments {
    fn run(&self, sources: &Sources) -> Result<(), Failure> {
        let stored = open_database(sources)?.run(&ListApiKeys)?;
        let items: Vec<ApiKeyView> = stored.into_iter().map(ApiKeyView::of).collect();
        if self.json {
            return print_json(&ApiKeysView { items });
        }
        let header = ["name", "scopes", "key", "created at", "last used at", "revoked at"];
        print_table(&header, items.into_iter().map(ApiKeyView::into_row).collect())
    }
}

impl RevokeArguments {
    fn run(&self, sources: &Sources) -> Result<(), Failure> {
        let name = &self.name;
        let mut database = open_database(sources)?;
        let at = shared_now(&mut database)?;
        match database.commit(&RevokeApiKey { name: name.clone(), at, by: operator() })? {
            RevokedApiKey::Now => tell(&format!("API key {name} was revoked")),
            RevokedApiKey::Before => tell(&format!("API key {name} was revoked before")),
            RevokedApiKey::Unknown => {
                return Err(Failure::new(format!("there is no API key named {name}")));
            }
        }
        Ok(())
    }
}

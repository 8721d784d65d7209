//! The mini-programs: one from the environment, any number from the file.

use super::reader::{Reader, wrong_type};
use super::settings::{WEAUTH_MAX_IN_FLIGHT, WECHAT_API_BASE, WECHAT_APPID, WECHAT_SECRET};
use super::urls::parse_api_base;
use crate::domain::{App, AppId, AppSecret};
use std::collections::BTreeSet;
use url::Url;

/// The maximum length of an app's name, in characters.
const MAX_NAME: usize = 64;

/// Settings for the connection to WeChat.
#[derive(Debug, Clone)]
pub struct WeChatConfig {
    /// The mini-programs served, at least one, each appid once: `WECHAT_APPID` first, then `[[apps]]`.
    pub apps: Vec<App>,
    /// WeChat's base URL (`WECHAT_API_BASE`); its path ends in `/`, ready for `join`.
    pub api_base: Url,
    /// Logins that may wait for WeChat at once (`WEAUTH_MAX_IN_FLIGHT`).
    pub max_in_flight: usize,
}

impl WeChatConfig {
    /// Reads all of it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let apps = read_apps(reader);
        reader.check_for(&WECHAT_API_BASE);
        let api_base = reader.text(&WECHAT_API_BASE, parse_api_base);
        let max_in_flight = reader.number(&WEAUTH_MAX_IN_FLIGHT)? as usize;
        Some(Self { apps, api_base: api_base?, max_in_flight })
    }
}

/// All well-formed apps; mistakes in the others are recorded.
fn read_apps(reader: &mut Reader<'_>) -> Vec<App> {
    let single = read_single(reader);
    let single_id = single.as_ref().map(|app| app.id.clone());
    let mut apps: Vec<App> = single.into_iter().chain(read_tables(reader)).collect();
    let mut seen = BTreeSet::new();
    apps.retain(|app| {
        let is_new = seen.insert(app.id.clone());
        if !is_new && single_id.as_ref() == Some(&app.id) {
            let what = format!("{} is also in [[apps]]: list each app once", app.id);
            reader.wrong::<()>(&WECHAT_APPID, what);
        } else if !is_new {
            let place = reader.in_file("[[apps]]");
            reader.wrong_at(place, format!("{} is listed twice: keep one", app.id));
        }
        is_new
    });
    apps
}

/// The app of `WECHAT_APPID` and `WECHAT_SECRET`: both are required, or neither if the file has apps.
fn read_single(reader: &mut Reader<'_>) -> Option<App> {
    let (has_id, has_secret) = (reader.is_given(&WECHAT_APPID), reader.is_given(&WECHAT_SECRET));
    let has_tables =
        reader.table("apps").is_some_and(|apps| apps.as_array().is_none_or(|all| !all.is_empty()));
    if !has_id && !has_secret && has_tables {
        return None;
    }
    reader.check_for(&WECHAT_APPID);
    reader.check_for(&WECHAT_SECRET);
    if !has_id && has_tables {
        reader.missing(
            &WECHAT_APPID,
            "WECHAT_SECRET is given: give the appid too, or neither if [[apps]] lists the apps",
        );
    } else if !has_id {
        reader.missing(
            &WECHAT_APPID,
            "copy the appid from mp.weixin.qq.com, or list the apps as [[apps]] in the file",
        );
    }
    if !has_secret {
        reader.missing(&WECHAT_SECRET, "copy the AppSecret from mp.weixin.qq.com");
    }
    let id = reader.text(&WECHAT_APPID, AppId::parse);
    let secret = reader.text(&WECHAT_SECRET, AppSecret::parse);
    let id = id?;
    Some(App { name: id.to_string(), id, secret: secret? })
}

/// The apps of `[[apps]]`.
fn read_tables(reader: &mut Reader<'_>) -> Vec<App> {
    let Some(value) = reader.table("apps") else { return Vec::new() };
    let tables: Option<Vec<&toml::Table>> =
        value.as_array().and_then(|items| items.iter().map(toml::Value::as_table).collect());
    match tables {
        Some(tables) => {
            let numbered = (1..).zip(tables);
            numbered.filter_map(|(number, table)| read_table(reader, number, table)).collect()
        }
        None => {
            let place = reader.in_file("apps");
            reader.wrong_at(place, wrong_type(value, "one [[apps]] for each app"));
            Vec::new()
        }
    }
}

/// The `number`th `[[apps]]`.
fn read_table(reader: &mut Reader<'_>, number: usize, table: &toml::Table) -> Option<App> {
    let place = reader.in_file(format!("[[apps]] no. {number}"));
    reader.check_keys(&place, table, &["appid", "secret", "name"]);
    let id = read_field(reader, &place, table, "appid", AppId::parse);
    let secret = read_field(reader, &place, table, "secret", AppSecret::parse);
    let name = match table.get("name") {
        Some(_) => read_field(reader, &place, table, "name", parse_name),
        None => id.as_ref().map(AppId::to_string),
    };
    Some(App { id: id?, secret: secret?, name: name? })
}

fn read_field<T, E: std::fmt::Display>(
    reader: &mut Reader<'_>,
    place: &str,
    table: &toml::Table,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let read = match table.get(key) {
        None => Err("is missing".to_owned()),
        Some(toml::Value::String(text)) => parse(text).map_err(|error| error.to_string()),
        Some(other) => Err(wrong_type(other, "a string in quotes")),
    };
    read.map_err(|what| reader.wrong_at(format!("`{key}` of {place}"), what)).ok()
}

fn parse_name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("a name is 1 to {MAX_NAME} printable characters")) }
}

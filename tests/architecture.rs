//! Enforces the architecture of `src/`: which part may import which, and one home for each heavy dependency. The
//! rules are the three tables at the top; changing them changes the architecture.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "that is how a test fails")]

#[path = "architecture/docs.rs"]
mod docs;
#[path = "architecture/lengths.rs"]
mod lengths;

use std::fs;
use std::path::Path;

/// Each folder of `src/` and the folders that it may import. `x!` means only the error types of `x`.
const MAY_IMPORT: &[(&str, &str)] = &[
    ("crypto", ""),
    ("domain", "crypto"),
    ("tokens", "domain crypto shared"),
    ("wechat", "domain crypto shared"),
    ("store", "domain crypto shared"),
    ("actors", "wechat store domain shared"),
    ("flows", "actors tokens store wechat! domain crypto shared"),
    ("http", "flows tokens actors store! wechat! domain crypto"),
    ("config", "domain crypto"),
    ("shared", ""),
];

/// These may import everything, and none of the above may import them: they put the parts together.
const ABOVE_ALL: &[&str] = &["assembly", "cli", "lib", "main"];

/// Each heavy dependency and the only places that may name it.
const HOME: &[(&str, &[&str])] = &[
    ("actix", &["actors"]),
    ("actix_web", &["http", "wechat/simulator", "assembly", "cli"]),
    ("reqwest", &["wechat"]),
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("r2d2", &["store"]),
    ("jsonwebtoken", &["tokens"]),
    ("aws_lc_rs", &["crypto"]),
    ("clap", &["cli"]),
    ("env_logger", &["cli"]),
    ("toml", &["config"]),
];

#[test]
fn the_source_keeps_to_its_picture() {
    let files = sources();
    assert!(files.len() > 10, "src/ was not found");
    let faults: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_folder_of_the_source_has_its_rules() {
    for (path, _) in sources() {
        let layer = layer_of(&path);
        let known = ABOVE_ALL.contains(&layer) || MAY_IMPORT.iter().any(|(name, _)| *name == layer);
        assert!(known, "src/{path}: give `{layer}` a row in MAY_IMPORT of tests/architecture.rs");
    }
}

/// All violations in one file, each with how to fix it.
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = without_comments(text);
    let layer = layer_of(path);
    for import in imports(path, &code) {
        if let Some(why) = forbidden(layer, &import) {
            faults.push(format!("src/{path} imports {}: {why}", import.join("::")));
        }
    }
    for (dependency, homes) in HOME {
        let at_home =
            homes.iter().any(|home| path.starts_with(&format!("{home}/")) || path == format!("{home}.rs"));
        if !at_home && names(&code, dependency) {
            let homes = homes.join(", ");
            faults
                .push(format!("src/{path} names {dependency}: only {homes} may; put it behind a type there"));
        }
    }
    faults
}

/// Why this layer may not import that, if it may not.
fn forbidden(layer: &str, import: &[String]) -> Option<String> {
    let target = import.first()?.as_str();
    let is_layer = ABOVE_ALL.contains(&target) || MAY_IMPORT.iter().any(|(name, _)| *name == target);
    if ABOVE_ALL.contains(&layer) || target == layer || !is_layer {
        return None;
    }
    let (_, allowed) = MAY_IMPORT.iter().find(|(name, _)| *name == layer)?;
    let allowed: Vec<&str> = allowed.split_whitespace().collect();
    let errors_only = allowed.iter().any(|name| name.strip_suffix('!') == Some(target));
    if errors_only && import.last().is_some_and(|name| name.ends_with("Error")) {
        return None;
    }
    if errors_only {
        return Some(format!("{layer} may know only the error types of {target}"));
    }
    let message = format!("{layer} may import only [{}]; pass it in from above", allowed.join(", "));
    (!allowed.contains(&target)).then_some(message)
}

/// Every path of this crate that the file names, starting at the top folder.
fn imports(path: &str, code: &str) -> Vec<Vec<String>> {
    let depth = depth_of(path);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if starts_word(code, at) {
            expand(&code[at + "crate::".len()..], &[], &mut found);
        }
    }
    for (at, _) in code.match_indices("super::") {
        if !starts_word(code, at) || code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(shorter) = rest.strip_prefix("super::") {
            (rest, up) = (shorter, up + 1);
        }
        // Within `mod tests`, one more `super` leads to the same place; the name of a top folder still identifies it.
        if up >= depth {
            expand(rest, &[], &mut found);
        }
    }
    found
}

/// Expands `a::b`, `a::{b, c::d}` and `{a, b}` into full paths.
fn expand(text: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        for item in items_of(group) {
            expand(item, before, found);
        }
        return;
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let mut path = before.to_vec();
    if end > 0 {
        path.push(text[..end].to_owned());
    }
    match text[end..].strip_prefix("::") {
        Some(rest) => expand(rest, &path, found),
        None => found.push(path),
    }
}

/// The comma-separated items up to the brace that closes the group.
fn items_of(group: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(group[start..at].trim());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// Whether the code names this crate: `x::…`, `::x::…` or `use x;`.
fn names(code: &str, dependency: &str) -> bool {
    code.match_indices(dependency).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + dependency.len()..]);
        let inside_a_path = before.strip_suffix("::").is_some_and(|path| !starts_word(path, path.len()));
        let in_a_path = after.starts_with("::") && !inside_a_path;
        let imported = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        starts_word(code, at) && (in_a_path || imported)
    })
}

fn starts_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
}

/// The top folder (or file) of a path below `src/`.
fn layer_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// How many `super` lead from this file's module to the root.
fn depth_of(path: &str) -> usize {
    let modules = path.trim_end_matches(".rs").trim_end_matches("/mod");
    modules.split('/').count()
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(code).collect()
}

/// Every file of `src/`: its path below it and its text.
fn sources() -> Vec<(String, String)> {
    files_of("src")
}

/// Every Rust file of a folder of this crate: its path below that folder and its text.
fn files_of(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_str().expect("paths are UTF-8").to_owned();
                files.push((below, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_broken_rule_is_seen() {
    for (path, code, expected) in [
        ("domain/user.rs", "use crate::store::UserRow;", "domain may import only"),
        ("domain/user.rs", "use super::super::store;", "domain may import only"),
        ("store/users/find.rs", "use crate::{domain::Time, wechat::WeChat};", "imports wechat::WeChat"),
        ("store/users.rs", "fn f() { crate::flows::sign_in() }", "imports flows::sign_in"),
        ("http/login.rs", "use crate::store::{StoreError, Users};", "only the error types of store"),
        ("flows/sign_in.rs", "use crate::wechat::Client;", "only the error types of wechat"),
        ("flows/sign_in.rs", "use crate::http::Problem;", "flows may import only"),
        ("http/login.rs", "use crate::assembly::Weauth;", "http may import only"),
        ("flows/sign_in.rs", "use diesel::prelude::*;", "names diesel"),
        ("flows/sign_in.rs", "    let x: ::reqwest::Client;", "names reqwest"),
        ("http/login.rs", "async fn f() { actix::spawn(g()) }", "names actix:"),
        ("wechat/client.rs", "#[actix_web::get(\"/\")]", "names actix_web"),
        ("domain/user.rs", "use toml;", "names toml"),
    ] {
        let found = faults(path, code);
        assert_eq!(found.len(), 1, "{path}: {code} gives {found:?}");
        assert!(found[0].contains(expected), "{path}: {code} gives {found:?}");
    }
}

#[test]
fn what_is_allowed_is_let_pass() {
    for (path, code) in [
        ("http/login.rs", "use crate::{flows::SignIn, store::StoreError};"),
        ("http/login.rs", "use super::problem::Problem; use actix_web::web;"),
        ("domain/user.rs", "// use crate::store::UserRow;\n/// See `diesel::insert`."),
        ("store/users.rs", "mod tests { use super::super::connection; use crate::domain::Time; }"),
        ("store/users.rs", "use diesel::r2d2::Pool; use diesel_migrations::embed_migrations;"),
        ("wechat/simulator/mod.rs", "use actix_web::App; use super::wire;"),
        ("cli/serve.rs", "use crate::{http, store, wechat}; use actix_web::rt::System;"),
        ("tokens/key.rs", "use crate::domain::Time; let my_actix::x = 1;"),
    ] {
        assert_eq!(faults(path, code), Vec::<String>::new(), "{path}: {code}");
    }
}

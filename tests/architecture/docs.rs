//! Whatever one part of the program offers to another is documented. The compiler's `missing_docs` sees only what the
//! crate exports.

use super::files_of;

#[test]
fn whatever_is_public_is_documented() {
    let mut bare = Vec::new();
    for (path, text) in files_of("src") {
        bare.extend(undocumented(&text).into_iter().map(|line| format!("src/{path}: {line}")));
    }
    assert!(bare.is_empty(), "say in a line what these are:\n{}\n", bare.join("\n"));
}

/// The public items and fields without documentation, and the variants and methods of public enums and traits.
fn undocumented(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let mut bare = Vec::new();
    let mut in_public = false;
    for (at, line) in lines.iter().enumerate() {
        let item = line.trim_start();
        let is_part = in_public
            && line.len() - item.len() == 4
            && (item.starts_with(char::is_uppercase) || item.starts_with("fn ") || item.starts_with("type "));
        let is_public =
            item.starts_with("pub ") && !item.starts_with("pub use ") && !item.starts_with("pub mod ");
        if (is_public || is_part) && !is_documented(&lines[..at]) {
            bare.push(item);
        }
        if !line.starts_with([' ', '#', '/']) && !line.is_empty() {
            in_public = line.starts_with("pub enum ") || line.starts_with("pub trait ");
        }
    }
    bare
}

/// Do the lines before an item end in its documentation? Attributes may stand between them.
fn is_documented(before: &[&str]) -> bool {
    let mut above = before.iter().rev().map(|line| line.trim_start());
    while let Some(line) = above.next() {
        match line {
            ")]" => while above.next().is_some_and(|line| !line.starts_with("#[")) {},
            _ if line.starts_with("#[doc") || line.starts_with("$(#[") => return true,
            _ if line.starts_with("#[") => {}
            _ => return line.starts_with("///"),
        }
    }
    false
}

#[test]
fn a_bare_item_is_seen() {
    let text = "/// An A.\n#[error(\n    \"a\"\n)]\npub enum A {\n    /// B.\n    B,\n    C,\n}\n\npub(super) fn d() {}\n\
                #[must_use]\npub fn e() {}\n";
    assert_eq!(undocumented(text), ["C,", "pub fn e() {}"]);
}

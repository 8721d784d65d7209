//! How long files and functions may be.

use super::files_of;

/// A longer file must be split, except the one that diesel generates.
const MOST_LINES: usize = 300;
const GENERATED: &str = "store/schema.rs";

/// A longer function of `src/` must be split.
const MOST_LINES_OF_A_FUNCTION: usize = 40;

#[test]
fn no_file_is_too_long() {
    for folder in ["src", "tests", "benches", "examples"] {
        let long = |(path, text): &(String, String)| path != GENERATED && text.lines().count() >= MOST_LINES;
        let long: Vec<String> = files_of(folder).into_iter().filter(long).map(|(path, _)| path).collect();
        assert!(long.is_empty(), "{folder}/: {MOST_LINES} lines are too many: {long:?}");
    }
}

#[test]
fn no_function_is_too_long() {
    let mut long = Vec::new();
    for (path, text) in files_of("src").iter().filter(|(path, _)| !path.contains("tests")) {
        for (name, lines) in functions(text) {
            if lines > MOST_LINES_OF_A_FUNCTION {
                long.push(format!("src/{path}: `{name}` has {lines} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{MOST_LINES_OF_A_FUNCTION} are enough:\n{}\n", long.join("\n"));
}

/// The functions of a file, each with its number of lines; those of its tests are left out.
fn functions<'a>(text: &'a str) -> Vec<(&'a str, usize)> {
    let lines: Vec<&str> =
        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().collect();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let function = |(start, line): (usize, &&'a str)| {
        // rustfmt ends a function on a line that is indented as its first one.
        let ends = |end: &&str| indentation(end) == indentation(line) && end.ends_with([';', '}']);
        let last = lines[start..].iter().position(ends).unwrap_or_default();
        name_of_function(line).map(|name| (name, last + 1))
    };
    lines.iter().enumerate().filter_map(function).collect()
}

/// The name of the function that begins on this line.
fn name_of_function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let declares = |word: &str| {
        word.starts_with("pub") || ["in", "async", "const"].contains(&word) || word.ends_with(')')
    };
    before.split_whitespace().all(declares).then(|| after.split(['(', '<']).next().unwrap_or_default())
}

#[test]
fn the_lines_of_a_function_are_counted() {
    let code = "\
fn one() {}

trait T {
    fn declared(&self) -> u8;
    async fn three(
        self,
    );
}

impl T for X {
    pub(in crate::http) async fn four(&self) -> u8
    where
        Self: Sized,
    {
        let f = || {
            // fn five() {
        };
        1
    }
}

#[cfg(test)]
mod tests {
    fn left_out() {}
}
";
    assert_eq!(functions(code), [("one", 1), ("declared", 1), ("three", 3), ("four", 9)]);
}

//! "Did you mean": the known name that a mistyped one is closest to.

/// The known name closest to `typed`, if one is close: one or two typos away, in the wrong case, or without the
/// first part of its name (`listen` for `weauth_listen`).
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let ranked = known.filter_map(|name| {
        let slips = distance(&typed, &name.to_ascii_lowercase());
        let allowed = if typed.len() < 6 { 1 } else { 2 };
        let shortened = typed.len() > 2 && name.to_ascii_lowercase().ends_with(&format!("_{typed}"));
        (slips <= allowed || shortened).then_some((slips, name))
    });
    ranked.min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

/// The Levenshtein distance: insertions, deletions and replacements from one to the other. Any reordering of the
/// same letters counts as one typo.
fn distance(a: &str, b: &str) -> usize {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    if a != b && sorted(a) == sorted(b) {
        return 1;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = || ["database_url", "weauth_listen", "apps"].into_iter();
        assert_eq!(nearest("databse_url", known()), Some("database_url"));
        assert_eq!(nearest("DATABASE-URL", known()), Some("database_url"));
        assert_eq!(nearest("listen", known()), Some("weauth_listen"));
        assert_eq!(nearest("app", known()), Some("apps"));
        assert_eq!(nearest("asp", known()), None);
        assert_eq!(nearest("apsp", known()), Some("apps"));
        assert_eq!(nearest("webhooks", known()), None);
        assert_eq!(nearest("", known()), None);
    }
}

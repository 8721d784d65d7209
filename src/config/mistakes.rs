//! The mistakes of a configuration, all reported at once.

use std::fmt;

/// One mistake: where it is, what is wrong and how to fix it. Never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable and the file's key, or a place in the file.
    pub place: String,
    /// What is wrong there, and how to fix it.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Every mistake of a configuration; `Display` gives one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// The mistakes, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, place: String, what: impl fmt::Display) {
        self.0.push(Mistake { place, what: what.to_string() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

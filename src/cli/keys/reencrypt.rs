//! `weauth keys reencrypt`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, operator, say, shared_now, tell};
use crate::config::{KeyCommandConfig, Sources};
use crate::flows::{Reencrypted, StartKeysError, master_key_fits, reencrypt};
use crate::store::{LoadKeys, NoteResealing, SealedPlace};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The time between two lines if there is no terminal to draw a bar on.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

pub(super) fn run(sources: &Sources) -> Result<(), Failure> {
    let config = KeyCommandConfig::for_command(sources)?;
    let mut db = open_database(sources)?;
    let keys = db.run(&LoadKeys)?;
    if !keys.is_empty() && !master_key_fits(&config.master_keys, &keys) {
        return Err(StartKeysError::MasterKey.into());
    }
    let at = shared_now(&mut db)?;
    // Before it begins: it may be broken off anywhere.
    db.commit(&NoteResealing { by: operator(), at })?;
    let progress = Progress::new();
    let mut told = Told::default();
    let done = reencrypt(
        &mut db,
        &config.master_keys,
        |done| told.of(&progress, done),
        |place| progress.line(&unopened(place)),
    )?;
    told.end(&progress, done);
    let Reencrypted { resealed, current, unopened, .. } = done;
    let counted =
        format!("values reencrypted: {resealed}; already encrypted with the first master key: {current}");
    if unopened > 0 {
        // What is left matters more than whether the rest could be printed.
        let _printed = say(&counted);
        return Err(Failure::new(format!(
            "values that neither master key decrypts, left as they are: {unopened}; keep every key that may have encrypted \
             them"
        )));
    }
    // A single given key may be the old one, so its success does not mean that the old one may be destroyed.
    let end = if config.master_keys.has_older() {
        "Nothing in the database needs the old master key any more: restart every server with only the new one."
    } else {
        "Everything is encrypted with the one key of WEAUTH_MASTER_KEY. To replace it, give the new and the old key, \
         separated by a comma."
    };
    say(&format!("{counted}\n{end}"))
}

fn unopened(place: &SealedPlace) -> String {
    format!("{place}: neither master key decrypts it")
}

/// A progress bar on a terminal, lines elsewhere; on standard error.
struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} rows, {eta} to go");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell(line),
        }
    }
}

/// When progress was last printed as a line, and its value.
#[derive(Default)]
struct Told(Option<(Instant, u64)>);

impl Told {
    fn of(&mut self, progress: &Progress, done: Reencrypted) {
        if let Some(bar) = &progress.bar {
            // Logins may have added rows since they were counted.
            bar.set_length(done.rows.max(done.looked_at));
            bar.set_position(done.looked_at);
        } else if self.0.is_none_or(|(last, _)| last.elapsed() >= BETWEEN_LINES) {
            self.line(progress, done);
        }
    }

    fn line(&mut self, progress: &Progress, done: Reencrypted) {
        self.0 = Some((Instant::now(), done.looked_at));
        progress.line(&format!("{} of {} rows", done.looked_at, done.rows.max(done.looked_at)));
    }

    fn end(&mut self, progress: &Progress, done: Reencrypted) {
        match &progress.bar {
            Some(bar) => bar.finish(),
            None if self.0.is_some_and(|(_, told)| told == done.looked_at) => {}
            None => self.line(progress, done),
        }
    }
}

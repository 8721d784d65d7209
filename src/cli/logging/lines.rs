//! Finished lines on their way out: whoever logs leaves a line in a buffer, one thread writes whole batches.
//!
//! A system call for each line would cost more than all else that the log does. After a quiet moment a line
//! is written at once; while lines keep coming, the thread writes at most once in [`PACE`], and so hundreds
//! of lines together. A full buffer makes the loggers wait: nothing is lost.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes may wait; a longer line waits alone.
const CAPACITY: usize = 1 << 20;

/// The time between two writes, unless someone is waiting for the second.
const PACE: Duration = Duration::from_millis(1);

/// The way to the writing thread, which lives as long as the process.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Tells the writing thread that it has work, or that someone waits for it.
    work: Condvar,
    /// Tells those who wait that a batch was taken or written.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes ever given, and those that have left: written, or lost to a closed standard error.
    given: u64,
    gone: u64,
    /// Is the writing thread asleep until there is work?
    idle: bool,
    /// How many wait for room or for the end of a batch; with any, the thread does not pace itself.
    hurrying: usize,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), progress: Condvar::new() });
        let lines = Self(Arc::clone(&shared));
        std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_batches(out))?;
        Ok(lines)
    }

    /// Returns when all that was given before is written.
    pub(super) fn drain(&self) {
        let state = self.0.lock();
        let until = state.given;
        drop(self.0.wait_while(state, |state| state.gone < until));
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let too_full = |state: &State| {
            let full = state.waiting.len() + line.len() > CAPACITY;
            full && !state.waiting.is_empty()
        };
        let mut state = self.0.wait_while(self.0.lock(), too_full);
        state.waiting.extend_from_slice(line);
        state.given += line.len() as u64;
        // Waking is a system call: only the first line after a quiet moment pays for it.
        if std::mem::take(&mut state.idle) {
            self.0.work.notify_one();
        }
        Ok(line.len())
    }

    /// Does nothing: env_logger calls it after every line. See [`Lines::drain`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as `blocked` holds, and has the thread hurry meanwhile.
    fn wait_while<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        blocked: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        if !blocked(&state) {
            return state;
        }
        state.hurrying += 1;
        self.work.notify_one();
        while blocked(&state) {
            state = self.progress.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurrying -= 1;
        state
    }

    fn write_batches(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            self.take(&mut batch);
            // With standard error closed there is nobody to tell; the server goes on without a log.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            let mut state = self.lock();
            state.gone += batch.len() as u64;
            batch.clear();
            self.progress.notify_all();
            if state.hurrying == 0 {
                let paced = self.work.wait_timeout_while(state, PACE, |state| state.hurrying == 0);
                drop(paced);
            }
        }
    }

    /// Waits for lines and takes all there are.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            state.idle = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        std::mem::swap(&mut state.waiting, batch);
        self.progress.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is written, each batch apart; writing takes a while.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_micros(200));
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_is_lost_and_each_thread_keeps_its_order() {
        let slow = Slow::default();
        let lines = Lines::start(slow.clone()).unwrap();
        // 8 MB in all: the buffer fills several times over.
        let filler = "x".repeat(190);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (mut lines, filler) = (lines.clone(), &filler);
                scope.spawn(move || {
                    for number in 0..10_000 {
                        lines.write_all(format!("{thread} {number} {filler}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        lines.drain();
        let batches = slow.0.lock().unwrap();
        let written = String::from_utf8(batches.concat()).unwrap();
        let mut next = [0; 4];
        for line in written.lines() {
            let mut words = line.split(' ');
            let [thread, number] = [(); 2].map(|()| words.next().unwrap().parse::<usize>().unwrap());
            assert_eq!(number, next[thread]);
            assert_eq!(words.next().unwrap(), filler);
            next[thread] += 1;
        }
        assert_eq!(next, [10_000; 4]);
        assert!(batches.len() < 4_000, "{} writes", batches.len());
    }

    #[test]
    fn a_line_after_a_quiet_moment_is_written_without_being_asked_for() {
        let slow = Slow::default();
        let mut lines = Lines::start(slow.clone()).unwrap();
        for count in 1..=3 {
            lines.write_all(b"line\n").unwrap();
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while slow.0.lock().unwrap().concat().len() < 5 * count {
                assert!(std::time::Instant::now() < deadline, "line {count} is not written");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_passes() {
        let slow = Slow::default();
        let mut lines = Lines::start(slow.clone()).unwrap();
        lines.write_all(b"short\n").unwrap();
        lines.write_all(&vec![b'x'; CAPACITY + 1]).unwrap();
        lines.drain();
        assert_eq!(slow.0.lock().unwrap().concat().len(), CAPACITY + 7);
    }

    #[test]
    fn draining_nothing_returns_at_once() {
        Lines::start(Slow::default()).unwrap().drain();
    }
}

//! Writes finished lines: each logger appends a line to a buffer, and one thread writes whole batches.
//!
//! A system call per line would cost more than all else that the log does, and so would one buffer that all
//! threads contend for. So each thread has its own buffer, or shares it with few. After a quiet moment a line is
//! written at once; while lines keep coming, the thread writes at most once per [`PACE`], hundreds of lines at a
//! time. A full buffer makes the loggers wait, but not for long: if whoever reads the log has stopped reading, lines
//! are dropped and counted, for logins matter more than their log. The lines of one thread keep their order.

use crate::shared::lock;
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many bytes may wait in a buffer; a longer line waits alone.
const CAPACITY: usize = 1 << 20;

/// The time between two writes, unless someone is waiting for the second.
const PACE: Duration = Duration::from_millis(10);

/// How long a logger waits for room in a full buffer, once: then no logger waits until something is written again.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long [`Lines::drain`] waits for everything to be written.
const TO_DRAIN: Duration = Duration::from_secs(10);

/// How many threads can log without sharing a buffer.
const BUFFERS: usize = 16;

/// The handle to the writing thread, which lives as long as the process.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

/// A buffer, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Buffer(Mutex<Vec<u8>>);

#[derive(Default)]
struct Shared {
    buffers: [Buffer; BUFFERS],
    /// Whether the writing thread is asleep until there is work.
    idle: AtomicBool,
    rounds: Mutex<Rounds>,
    /// Signals the writing thread that it has work, or that someone waits for it.
    work: Condvar,
    /// Signals that a round is over.
    progress: Condvar,
    /// Whether a logger has waited in vain, and nothing was written since.
    stuck: AtomicBool,
    /// The number of lines dropped and not told of yet.
    dropped: AtomicU64,
}

/// Rounds through all buffers: how many were requested and how many of these are done.
#[derive(Default)]
struct Rounds {
    asked: u64,
    done: u64,
}

impl Lines {
    /// Starts the thread that writes to `out`; `told_of` makes a line of the number of lines that were dropped.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        told_of: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let lines = Self(Arc::default());
        let shared = Arc::clone(&lines.0);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_rounds(out, told_of))?;
        Ok(lines)
    }

    /// Takes a line, including its end. If the buffer is full it waits for room, or drops the line if that takes long.
    pub(super) fn push(&self, line: &[u8]) {
        let buffer = &self.0.buffers[buffer_of_this_thread()].0;
        let mut waiting = lock(buffer);
        while !waiting.is_empty() && waiting.len() + line.len() > CAPACITY {
            drop(waiting);
            if self.0.stuck.load(Ordering::Relaxed) || !self.is_drained_within(PATIENCE) {
                self.0.stuck.store(true, Ordering::Relaxed);
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            waiting = lock(buffer);
        }
        waiting.extend_from_slice(line);
        drop(waiting);
        // Waking is a system call: only the first line after a quiet moment pays for it.
        if self.0.idle.load(Ordering::SeqCst) && self.0.idle.swap(false, Ordering::SeqCst) {
            let _asleep_or_awake = lock(&self.0.rounds);
            self.0.work.notify_one();
        }
    }

    /// Returns when everything pushed before is written, or can't be.
    pub(super) fn drain(&self) {
        self.is_drained_within(TO_DRAIN);
    }

    fn is_drained_within(&self, time: Duration) -> bool {
        let mut rounds = lock(&self.0.rounds);
        rounds.asked += 1;
        let until = rounds.asked;
        self.0.idle.store(false, Ordering::SeqCst);
        self.0.work.notify_one();
        let is_waiting = |rounds: &mut Rounds| rounds.done < until;
        let waited = self.0.progress.wait_timeout_while(rounds, time, is_waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// Threads take the buffers in turn.
fn buffer_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OURS: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OURS.get().unwrap_or_else(|| {
        let ours = NEXT.fetch_add(1, Ordering::Relaxed) % BUFFERS;
        OURS.set(Some(ours));
        ours
    })
}

impl Shared {
    fn write_rounds(&self, mut out: impl Write, told_of: impl Fn(u64) -> Vec<u8>) {
        let mut batch = Vec::new();
        loop {
            let asked = lock(&self.rounds).asked;
            self.collect(&mut batch);
            if !batch.is_empty() {
                // If standard error is closed there is nobody to tell; the server goes on without a log.
                let _ = out.write_all(&batch).and_then(|()| out.flush());
                self.stuck.store(false, Ordering::Relaxed);
                let dropped = self.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = out.write_all(&told_of(dropped)).and_then(|()| out.flush());
                }
            }
            let mut rounds = lock(&self.rounds);
            rounds.done = asked;
            self.progress.notify_all();
            let nobody_waits = |rounds: &mut Rounds| rounds.asked == rounds.done;
            if batch.is_empty() {
                drop(rounds);
                self.sleep_until_work();
            } else {
                batch.clear();
                drop(self.work.wait_timeout_while(rounds, PACE, nobody_waits));
            }
        }
    }

    /// Takes all waiting lines.
    fn collect(&self, batch: &mut Vec<u8>) {
        for buffer in &self.buffers {
            batch.append(&mut lock(&buffer.0));
        }
    }

    /// A line pushed after the check finds the thread marked idle, and wakes it.
    fn sleep_until_work(&self) {
        self.idle.store(true, Ordering::SeqCst);
        if self.buffers.iter().any(|buffer| !lock(&buffer.0).is_empty()) {
            self.idle.store(false, Ordering::SeqCst);
            return;
        }
        let rounds = lock(&self.rounds);
        let asleep = |rounds: &mut Rounds| self.idle.load(Ordering::SeqCst) && rounds.asked == rounds.done;
        drop(self.work.wait_while(rounds, asleep));
        self.idle.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Keeps each written batch separately; writing takes a while.
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

    fn start(slow: &Slow) -> Lines {
        Lines::start(slow.clone(), |count| panic!("{count} lines were dropped")).unwrap()
    }

    #[test]
    fn no_line_is_lost_and_each_thread_keeps_its_order() {
        let slow = Slow::default();
        let lines = start(&slow);
        // 8 MB in all: the buffer fills several times over.
        let filler = "x".repeat(190);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (lines, filler) = (lines.clone(), &filler);
                scope.spawn(move || {
                    for number in 0..10_000 {
                        lines.push(format!("{thread} {number} {filler}\n").as_bytes());
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
        let lines = start(&slow);
        for count in 1..=3 {
            lines.push(b"line\n");
            let deadline = Instant::now() + Duration::from_secs(5);
            while slow.0.lock().unwrap().concat().len() < 5 * count {
                assert!(Instant::now() < deadline, "line {count} is not written");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn a_line_longer_than_the_buffer_passes() {
        let slow = Slow::default();
        let lines = start(&slow);
        lines.push(b"short\n");
        lines.push(&vec![b'x'; CAPACITY + 1]);
        lines.drain();
        assert_eq!(slow.0.lock().unwrap().concat().len(), CAPACITY + 7);
    }

    #[test]
    fn draining_nothing_returns_at_once() {
        start(&Slow::default()).drain();
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_holds_nobody() {
        const KEPT: usize = 1 << 17;
        let slow = Slow::default();
        let lines = Lines::start(slow.clone(), |count| format!("dropped {count}\n").into_bytes()).unwrap();
        let closed = slow.0.lock().unwrap();
        let began = Instant::now();
        for _ in 0..3 * KEPT {
            lines.push(b"1234567\n");
        }
        assert!(began.elapsed() < 2 * PATIENCE, "the loggers waited {:?}", began.elapsed());
        drop(closed);
        lines.drain();
        lines.push(b"and on\n");
        lines.drain();
        let written = String::from_utf8(slow.0.lock().unwrap().concat()).unwrap();
        let kept = written.matches("1234567\n").count();
        assert!((KEPT..=2 * KEPT).contains(&kept), "{kept}");
        assert!(written.contains(&format!("\ndropped {}\n", 3 * KEPT - kept)), "{}", 3 * KEPT - kept);
        assert!(written.ends_with("and on\n"));
    }
}

//! How long a detector was at work, summed over threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Busy {
    nanos: AtomicU64,
    asked: AtomicU64,
}

impl Busy {
    /// Counts one text and the time that `act` takes, and what was `spent` on the text before.
    pub(super) fn time<T>(&self, spent: Duration, act: impl FnOnce() -> T) -> T {
        let (done, taken) = timed(act);
        let nanos = u64::try_from((spent + taken).as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.asked.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// Texts.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn millis(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed) / 1_000_000
    }
}

pub(super) fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = act();
    (done, start.elapsed())
}

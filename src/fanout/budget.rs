//! The byte budget that all viewer queues of a session share.

use std::sync::atomic::Ordering;

use super::sync::AtomicUsize;

/// Bytes that wait for all viewers together. Who holds more than an equal share of an exhausted budget is refused;
/// who holds less is served, so that a slow viewer cannot starve the others. The total stays below twice the limit.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    queues: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), queues: AtomicUsize::new(0) }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn join(&self) {
        self.queues.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.queues.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes `len` bytes for a queue that holds `held` already.
    pub(super) fn take(&self, len: usize, held: usize) -> bool {
        let used = self.used.fetch_add(len, Ordering::Relaxed) + len;
        // What is alone in the whole session passes even if it is larger than the limit: else its viewer would be reset
        // for ever.
        if used <= self.limit || used == len {
            return true;
        }
        let share = self.limit / self.queues.load(Ordering::Relaxed).max(1);
        if held + len <= share {
            return true;
        }
        self.used.fetch_sub(len, Ordering::Relaxed);
        false
    }

    /// Takes `len` bytes that are in memory anyway.
    pub(super) fn take_anyway(&self, len: usize) {
        self.used.fetch_add(len, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, len: usize) {
        self.used.fetch_sub(len, Ordering::Relaxed);
    }
}

//! Places and bytes for requests of one viewer (P-186).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places. Each request takes one and holds it until its answer has entered the viewer's queue (S-217).
#[derive(Debug, Clone)]
pub struct Admission(Arc<Semaphore>);

/// One place; free again when dropped.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

impl Admission {
    /// So many places, all free.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Takes a place, if one is free.
    pub fn take(&self) -> Option<Slot> {
        self.0.clone().try_acquire_owned().ok().map(Slot)
    }
}

/// Bytes that the requests of one viewer may hold together: places alone would let it park 32 payloads of 16 MiB each.
#[derive(Debug, Clone)]
pub struct ByteAdmission {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// The bytes of one request; given back when dropped.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl ByteAdmission {
    /// At most `limit` bytes together.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// Takes `bytes`, if there is room. A request that is alone always fits.
    pub fn take(&self, bytes: usize) -> Option<Held> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { bytes, used: self.used.clone() };
        // One that is refused gives back what it took.
        (used == 0 || used.saturating_add(bytes) <= self.limit).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

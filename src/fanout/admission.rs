//! Places for requests of one viewer (P-186).

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

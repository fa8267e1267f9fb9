//! The context of a callback table, as one owned value.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::threads::as_callback;

/// Signature of every `drop`.
pub(super) type Drop_ = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// `context` and `drop` of a callback table. Dropping this calls the C `drop`: exactly once, when nobody can call into
/// the table any more.
pub(super) struct Context {
    context: *mut c_void,
    drop: Drop_,
    /// Held until `drop` has returned.
    open: Option<Latch>,
}

/// Waits for the drops of a set of tables.
#[derive(Default)]
pub(super) struct Latch {
    shared: Arc<(Mutex<usize>, Condvar)>,
    counted: bool,
}

impl Latch {
    /// One more to wait for, until the result is dropped.
    pub(super) fn hold(&self) -> Self {
        *self.shared.0.lock() += 1;
        Self { shared: self.shared.clone(), counted: true }
    }

    /// Waits until all are dropped; `false` when that takes longer.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut open = self.shared.0.lock();
        while *open > 0 {
            if self.shared.1.wait_until(&mut open, deadline).timed_out() {
                return *open == 0;
            }
        }
        true
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        if self.counted {
            *self.shared.0.lock() -= 1;
            self.shared.1.notify_all();
        }
    }
}

// SAFETY: the header says that callbacks and `drop` run on threads of the library; whoever fills a table agrees.
unsafe impl Send for Context {}
// SAFETY: as above; which callbacks may overlap is said for each table in the header.
unsafe impl Sync for Context {}

impl Context {
    pub(super) fn new(context: *mut c_void, drop: Drop_) -> Self {
        Self { context, drop, open: None }
    }

    /// Lets the latch wait for the `drop`.
    pub(super) fn counted_by(mut self, latch: &Latch) -> Self {
        self.open = Some(latch.hold());
        self
    }

    /// What the callbacks get as their first argument.
    pub(super) fn get(&self) -> *mut c_void {
        self.context
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(drop) = self.drop.take() {
            // A callback like the others, so that a session freed in it does not wait for this thread.
            // SAFETY: the table's author gave both, and nothing else of the table is called from now on.
            as_callback(|| unsafe { drop(self.context) });
        }
    }
}

//! Running the application's callbacks: what every sink does alike.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::threads::as_callback;

/// A callback that takes longer is worth a warning (S-263).
const SLOW: Duration = Duration::from_millis(100);

/// Runs a callback of the application: marked, timed, and with panics stopped. `None` after a panic.
pub(crate) fn run_callback<T>(what: &'static str, panics: &AtomicU64, callback: impl FnOnce() -> T) -> Option<T> {
    let started = Instant::now();
    let result = as_callback(|| catch_unwind(AssertUnwindSafe(callback)));
    let took = started.elapsed();
    if took > SLOW {
        tracing::warn!(what, ms = took.as_millis() as u64, "a callback of the application was slow");
    }
    match result {
        Ok(value) => Some(value),
        Err(_) => {
            panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(what, "a callback of the application panicked; telelink goes on");
            None
        }
    }
}

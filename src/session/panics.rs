//! Panics of the library itself (S-267): stopped where a task or thread begins, counted, reported; and made on purpose by
//! tests, since nothing else can show that.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::FutureExt;

/// A part of the library that a test can make panic.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicPoint {
    /// The session's owner task.
    Owner,
    /// The thread of the listener, outside of the listener.
    Callbacks,
    /// A thread of request handlers, outside of the handler.
    Handlers,
    /// The task that gets the session its rooms.
    Gateway,
    /// A task that belongs to a room: the next viewer's control stream.
    Room,
    /// The conversion of the next picture.
    Video,
}

/// Makes one panic at the place that checks it. Off it costs one relaxed load.
#[derive(Default)]
pub(crate) struct PanicSwitch(AtomicBool);

impl PanicSwitch {
    pub(crate) fn arm(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) {
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            panic!("a panic made by a test");
        }
    }
}

/// The switches of one session that belong to tasks.
#[derive(Default)]
pub(crate) struct TaskSwitches {
    pub(crate) owner: PanicSwitch,
    pub(crate) gateway: PanicSwitch,
    pub(crate) room: PanicSwitch,
}

fn report<T>(result: std::thread::Result<T>, what: &'static str, panics: &AtomicU64) -> Option<T> {
    if result.is_err() {
        panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!(what, "a part of the library panicked; please report it");
    }
    result.ok()
}

/// Runs work of the library's own. `None` after a panic, which is counted and reported.
pub(crate) fn contain<T>(what: &'static str, panics: &AtomicU64, work: impl FnOnce() -> T) -> Option<T> {
    report(catch_unwind(AssertUnwindSafe(work)), what, panics)
}

/// The same for a task.
pub(crate) async fn contain_task<T>(
    what: &'static str,
    panics: &AtomicU64,
    task: impl std::future::Future<Output = T>,
) -> Option<T> {
    report(AssertUnwindSafe(task).catch_unwind().await, what, panics)
}

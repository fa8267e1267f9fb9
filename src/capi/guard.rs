//! The one way into the library: a body under `catch_unwind`, its failure recorded, its status returned.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use super::last_error;
use super::status::{telelink_status, Failure};

/// Set in a child of `fork()`: the threads of its sessions do not exist there (design.md decision 11).
static FORKED: AtomicBool = AtomicBool::new(false);
/// Set when the process runs its exit handlers: callbacks stay away from objects that are being destroyed.
static EXITING: AtomicBool = AtomicBool::new(false);

/// Runs the body of an exported function. Success costs nothing but the call: no thread-local is touched.
#[inline(always)]
pub(super) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> telelink_status {
    if FORKED.load(Ordering::Relaxed) {
        return forked();
    }
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => telelink_status::Ok,
        Ok(Err(failure)) => fail(failure),
        Err(panic) => panicked(panic),
    }
}

/// Like [`guard`] for functions that return no status: `default` after a panic. Works in a forked child too, so it must
/// not need a thread of a session.
#[inline(always)]
pub(super) fn guard_or<T>(default: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => {
            panicked(panic);
            default
        }
    }
}

/// Like [`guard_or`], for getters that can be given NULL: the failure is recorded, `default` is returned.
#[inline(always)]
pub(super) fn guard_get<T>(default: T, body: impl FnOnce() -> Result<T, Failure>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => {
            fail(failure);
            default
        }
        Err(panic) => {
            panicked(panic);
            default
        }
    }
}

#[cold]
#[inline(never)]
fn fail(failure: Failure) -> telelink_status {
    last_error::set(&failure.message);
    failure.status
}

#[cold]
#[inline(never)]
fn panicked(panic: Box<dyn Any + Send>) -> telelink_status {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    last_error::set(&format!("a panic inside telelink was stopped: {}", text.unwrap_or("no message")));
    discard(panic);
    telelink_status::Panic
}

/// Drops the payload of a panic. One of an unknown type can panic in that, with another payload, and so on; in the end a
/// leak is the lesser evil.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..3 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(again) => payload = again,
        }
    }
    std::mem::forget(payload);
}

#[cold]
#[inline(never)]
fn forked() -> telelink_status {
    last_error::set("this process was forked from one that uses telelink; only the parent can go on using it");
    telelink_status::Closed
}

pub(super) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

pub(super) fn is_exiting() -> bool {
    EXITING.load(Ordering::Relaxed)
}

/// Watches for `fork()` and `exit()`. Called when the first object with threads is made.
pub(super) fn watch_process() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    extern "C" fn at_exit() {
        EXITING.store(true, Ordering::Relaxed);
    }
    ONCE.call_once(|| {
        // SAFETY: both functions belong to the C library of every supported platform, and the handlers only store to a
        // static. The library is linked with `nodelete`, so the handlers outlive everything.
        unsafe {
            libc::atexit(at_exit);
            #[cfg(unix)]
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
}

#[cfg(unix)]
extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
}

/// cbindgen:ignore
mod libc {
    extern "C" {
        pub(super) fn atexit(handler: extern "C" fn()) -> std::ffi::c_int;
        #[cfg(unix)]
        pub(super) fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> std::ffi::c_int;
    }
}

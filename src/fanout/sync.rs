//! Locks, atomics and wake-ups of the code whose interleavings loom explores: the real ones, or, in the build of
//! `scripts/test-loom.sh` (`--cfg telelink_loom`), loom's models of them under the same names.
//!
//! A cfg of our own, because `--cfg loom` would change dependencies too.

#[cfg(not(telelink_loom))]
pub(crate) use parking_lot::{Condvar, Mutex};
#[cfg(not(telelink_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize};
#[cfg(not(telelink_loom))]
pub(crate) use tokio::sync::Notify;

#[cfg(telelink_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize};
#[cfg(telelink_loom)]
pub(crate) use model::{Condvar, Mutex, Notify};

/// loom's primitives behind the faces of parking_lot and tokio.
#[cfg(telelink_loom)]
mod model {
    use std::future::poll_fn;
    use std::ops::{Deref, DerefMut};
    use std::task::{Poll, Waker};
    use std::time::Instant;

    const POISONED: &str = "a model panicked while it held a lock";

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// `None` only inside `Condvar::wait_until`.
    pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect(POISONED)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.0.as_ref().expect("held")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("held")
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    pub(crate) struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        /// The deadline never comes: a wake-up that is missing shows as a deadlock.
        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> WaitTimeoutResult {
            let held = guard.0.take().expect("held");
            guard.0 = Some(self.0.wait(held).expect(POISONED));
            WaitTimeoutResult
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// What tokio documents of its `Notify` with one waiter: a notification nobody waits for is kept, one of them.
    #[derive(Debug, Default)]
    pub(crate) struct Notify(Mutex<Notified>);

    #[derive(Debug, Default)]
    struct Notified {
        permit: bool,
        waiter: Option<Waker>,
    }

    impl Notify {
        pub(crate) fn notify_one(&self) {
            let waiter = {
                let mut state = self.0.lock();
                state.permit = true;
                state.waiter.take()
            };
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }

        pub(crate) async fn notified(&self) {
            poll_fn(|cx| {
                let mut state = self.0.lock();
                if std::mem::take(&mut state.permit) {
                    return Poll::Ready(());
                }
                state.waiter = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }
}

//! Requests that futures answer (S-199, S-218), and the threads they run on.
//!
//! They are not the threads of the owner task: a future that blocks delays other futures of the application and nothing
//! else. A future belongs to the session whose handler made it: when the session ends it is dropped, and the session's
//! end waits for that, as it waits for running handlers.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::threads::{self, ThreadRole};

use super::{run_callback, Error, ErrorKind};

/// Futures of one session: what 64 viewers may have admitted. A request whose time is over leaves its slot and not its
/// future, so the slots alone are no bound (S-202).
const MAX_FUTURES: usize = 4096;

/// The threads of the application's futures, for the whole process; started with the first one.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_name(ThreadRole::Async.name())
            .on_thread_start(|| threads::started(ThreadRole::Async))
            .enable_all()
            .build()
    });
    let failed = |error| Error::new(ErrorKind::Internal, format!("the threads for futures could not start: {error}"));
    runtime.as_ref().map_err(failed)
}

/// The futures of one session.
pub(super) struct Futures {
    running: Mutex<usize>,
    ended: Condvar,
    stop: CancellationToken,
    panics: Arc<AtomicU64>,
}

thread_local! {
    /// Those of the session that this handler thread belongs to.
    static OWN: RefCell<Option<Arc<Futures>>> = const { RefCell::new(None) };
}

impl Futures {
    pub(super) fn new(panics: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { running: Mutex::new(0), ended: Condvar::new(), stop: CancellationToken::new(), panics })
    }

    /// The calling thread runs handlers of this session from now on.
    pub(super) fn adopt_thread(self: &Arc<Self>) {
        OWN.set(Some(self.clone()));
    }

    /// Those of the session whose handler runs on this thread. A handler that the application calls on a thread of its
    /// own belongs to none.
    fn current() -> Arc<Self> {
        static STRAY: LazyLock<Arc<Futures>> = LazyLock::new(|| Futures::new(Arc::default()));
        OWN.with_borrow(Clone::clone).unwrap_or_else(|| STRAY.clone())
    }

    /// Drops the futures, running ones as soon as they yield.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Waits until all have been dropped, and says every second that it waits.
    pub(super) fn wait_idle(&self) {
        let mut running = self.running.lock();
        while *running > 0 {
            if self.ended.wait_for(&mut running, Duration::from_secs(1)).timed_out() {
                tracing::warn!(running = *running, "the session's end waits for futures that do not yield");
            }
        }
    }

    fn begin(&self) -> bool {
        let mut running = self.running.lock();
        let room = *running < MAX_FUTURES;
        *running += usize::from(room);
        room
    }
}

/// Runs a future that answers a request. One that cannot run is dropped, and its responder with it.
pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a request was dropped"),
    };
    let futures = Futures::current();
    if !futures.begin() {
        return tracing::debug!("a request was dropped: too many futures have not ended");
    }
    let stop = futures.stop.clone();
    let request = Request { future: Some(Box::pin(future)), futures };
    runtime.spawn(async move {
        tokio::select! {
            biased;
            _ = stop.cancelled() => {}
            _ = request => {}
        }
    });
}

/// A future as a callback of the application: marked as one while it is polled and dropped, its panics stopped.
struct Request<F> {
    future: Option<Pin<Box<F>>>,
    futures: Arc<Futures>,
}

impl<F: Future<Output = ()>> Future for Request<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { future, futures } = &mut *self;
        let Some(running) = future else { return Poll::Ready(()) };
        match run_callback("request future", &futures.panics, || running.as_mut().poll(context)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(())) | None => Poll::Ready(()),
        }
    }
}

impl<F> Drop for Request<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        run_callback("drop of a request future", &self.futures.panics, || drop(future));
        *self.futures.running.lock() -= 1;
        self.futures.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc::{channel, Sender};

    /// Says when it is dropped.
    struct Guard(Sender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn s_202_futures_of_requests_whose_time_is_over_are_bounded() {
        let futures = Futures::new(Arc::default());
        let own = futures.clone();
        let (ends, ended) = channel();
        // A handler thread of its own, for the test's thread may run other tests later.
        let handler = std::thread::spawn(move || {
            own.adopt_thread();
            for _ in 0..MAX_FUTURES + 10 {
                let guard = Guard(ends.clone());
                spawn(async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                });
            }
        });
        handler.join().unwrap();
        assert_eq!(ended.try_iter().count(), 10, "those beyond the bound are dropped at once");
        futures.close();
        futures.wait_idle();
        assert_eq!(ended.try_iter().count(), MAX_FUTURES, "the others before the end of their session is over");
    }
}

//! The threads on which LiveKit's tasks run, and work that is carried out there to its end.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::room::RoomError;
use crate::threads::{self, ThreadRole};

/// LiveKit's own runtime. One of its own, because its tasks need I/O and may block for a moment inside WebRTC, which the
/// sessions' threads must not feel; the prebuilt library has one too. Made with the first join, never ended.
pub(super) fn handle() -> Result<&'static Handle, String> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_name("tl-livekit")
            .on_thread_start(|| threads::started(ThreadRole::Core))
            .enable_all()
            .build()
    });
    let failed = |error| format!("LiveKit's threads could not start: {error}");
    runtime.as_ref().map(Runtime::handle).map_err(failed)
}

/// Carries `work` out to its end, whether or not this future is awaited to its end: half of it would leave something in the
/// room. What nobody takes is dropped, which undoes it.
pub(super) async fn carry_out<T: Send + 'static>(
    runtime: &Handle,
    what: &'static str,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, RoomError> {
    /// How many times `limit` the work may take when nobody waits for it any more.
    const PATIENCE: u32 = 4;
    let (tx, rx) = oneshot::channel();
    runtime.spawn(async move {
        if let Ok(made) = tokio::time::timeout(limit * PATIENCE, work).await {
            drop(tx.send(made));
        }
    });
    match tokio::time::timeout(limit, rx).await {
        Ok(Ok(made)) => Ok(made),
        // Only a panic of the work drops its sender before the limit.
        Ok(Err(_)) => Err(RoomError::Transport(format!("{what} failed inside LiveKit"))),
        Err(_) => Err(RoomError::Timeout(what)),
    }
}

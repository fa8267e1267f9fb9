//! The pump that carries one source into one outgoing byte stream.

use std::future::{poll_fn, Future};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::core::{Core, Life};
use crate::room::{ByteSource, ByteStream, Fill, RoomError};

/// Most bytes of one write: the library cuts there, so such a write travels as one packet (livekit-ffi.md 5.2).
const WRITE_LIMIT: usize = 15_000;

/// A write without an answer for so long ends its stream (S-116). During a reconnection writes wait up to 16 s.
pub(in crate::room) const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Reason given to the other side for a stream that its source has not ended: without one, what has arrived would look
/// complete.
pub(in crate::room) const UNFINISHED: &str = "unfinished";

/// The library's end of an open stream. Dropping it ends the stream as [`UNFINISHED`].
pub(in crate::room) trait Writer: Send + 'static {
    /// Hands bytes to the library; answers within [`WRITE_DEADLINE`], or with [`RoomError::Timeout`].
    fn write(&self, bytes: &Bytes) -> impl Future<Output = Result<(), RoomError>> + Send;

    /// Closes the stream, orderly or for a reason, within [`WRITE_DEADLINE`].
    fn close(self, reason: Option<&'static str>) -> impl Future<Output = Result<(), RoomError>> + Send;
}

/// Starts the pump of a stream that is open. `life` is a receiver made before it was opened.
pub(in crate::room) fn start<W: Writer + Sync>(
    core: &Arc<Core>,
    life: watch::Receiver<Life>,
    writer: W,
    source: Arc<dyn ByteSource>,
) -> ByteStream {
    let (stream, ended) = ByteStream::new();
    let since = *life.borrow();
    let pump = Pump { since, life, writer, source, core: core.clone() };
    core.runtime.spawn(pump.run(ended));
    stream
}

/// Carries one source into one stream. One write is in flight, because the library may reorder more (livekit-ffi.md 5.2).
struct Pump<W> {
    core: Arc<Core>,
    life: watch::Receiver<Life>,
    /// The room's life when the stream was opened.
    since: Life,
    writer: W,
    source: Arc<dyn ByteSource>,
}

impl<W: Writer + Sync> Pump<W> {
    async fn run(mut self, mut ended: oneshot::Sender<Result<(), RoomError>>) {
        let (since, mut life) = (self.since, self.life.clone());
        let cut_off = async move {
            // Fails only when the room's state is gone, which `self.core` holds. What it returns holds the lock of `life`,
            // and must be gone before anybody looks at `life` again: a writer between two readers would stop both.
            drop(life.wait_for(|now| *now != since).await);
        };
        let result = tokio::select! {
            biased;
            () = ended.closed() => None,
            () = cut_off => Some(Err(self.cut_off())),
            result = self.pump() => Some(result),
        };
        // A broken or abandoned stream is closed as well: the other side must not wait for the rest. Where `send` fails nobody
        // waits for the answer, and there is nobody to tell.
        match result {
            Some(Ok(())) => {
                let closed = self.writer.close(None).await;
                let _ = ended.send(closed);
            }
            unfinished => {
                // Told first: where a write has stood still (S-116), closing may stand still as long again.
                if let Some(failed) = unfinished {
                    let _ = ended.send(failed);
                }
                if let Err(error) = self.writer.close(Some(UNFINISHED)).await {
                    tracing::debug!(target: "telelink::livekit", %error, "an unfinished stream could not be closed");
                }
            }
        }
    }

    /// Why the stream ends without the source's doing.
    fn cut_off(&self) -> RoomError {
        match self.core.check_open() {
            Err(closed) => closed,
            Ok(()) => RoomError::Transport("the room was joined anew; streams opened before are void".into()),
        }
    }

    async fn pump(&mut self) -> Result<(), RoomError> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match poll_fn(|cx| self.source.poll_fill(cx, WRITE_LIMIT, &mut buffer)).await {
                Fill::End => return Ok(()),
                Fill::Bytes => self.write(&mut buffer).await?,
            }
        }
    }

    async fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), RoomError> {
        // The request borrows the buffer's memory and gives it back: no copy but the encoding itself.
        let bytes = Bytes::from(std::mem::take(buffer));
        self.core.writes.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(&self.core);
        let result = self.writer.write(&bytes).await;
        drop(under_way);
        if let Ok(memory) = bytes.try_into_mut() {
            *buffer = memory.into();
        }
        result.map_err(|error| match error {
            RoomError::Timeout(_) => RoomError::Stalled(WRITE_DEADLINE.as_secs()),
            _ if self.core.check_open().is_err() => RoomError::Closed,
            other => other,
        })
    }
}

/// A write, until it is answered or given up.
struct UnderWay<'a>(&'a Core);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.writes_ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::task::{Context, Poll};

    use tokio::sync::mpsc;

    use super::super::incoming::{Incoming, Readers};
    use super::super::pacer::Meter;
    use super::super::participants::{tests::info, Participants};
    use super::*;

    struct Nothing;

    impl Meter for Nothing {
        fn packets_sent(&self, _tell: Box<dyn FnOnce(u32) + Send>) {}
    }

    impl Readers for Nothing {
        fn take(&self, _wanted: &mut dyn FnMut(&Incoming) -> bool) -> Vec<Arc<Incoming>> {
            Vec::new()
        }
    }

    impl ByteSource for Nothing {
        fn poll_fill(&self, _cx: &mut Context<'_>, _max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
            out.push(1);
            Poll::Ready(Fill::Bytes)
        }
    }

    /// Tells what it was asked; a write is answered with `write`, or never, and a close never.
    struct Stuck {
        asked: mpsc::UnboundedSender<Option<&'static str>>,
        write: Option<RoomError>,
    }

    impl Writer for Stuck {
        async fn write(&self, _bytes: &Bytes) -> Result<(), RoomError> {
            self.asked.send(None).unwrap();
            match &self.write {
                Some(error) => Err(error.clone()),
                None => pending().await,
            }
        }

        async fn close(self, reason: Option<&'static str>) -> Result<(), RoomError> {
            self.asked.send(reason).unwrap();
            pending().await
        }
    }

    fn stream(write: Option<RoomError>) -> (ByteStream, mpsc::UnboundedReceiver<Option<&'static str>>) {
        let participants = Participants::new(info("robot", "PA_1"), []);
        let runtime = tokio::runtime::Handle::current();
        let (core, _events) = Core::new(runtime, Arc::default(), participants, Box::new(Nothing), Box::new(Nothing));
        let (asked, heard) = mpsc::unbounded_channel();
        (start(&core, core.life.subscribe(), Stuck { asked, write }, Arc::new(Nothing)), heard)
    }

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(1), what).await.expect("in time")
    }

    #[tokio::test(start_paused = true)]
    async fn s_116_a_write_that_stood_still_is_told_before_the_stream_is_closed() {
        let (stream, mut heard) = stream(Some(RoomError::Timeout("a write")));
        assert_eq!(soon(stream.ended()).await, Err(RoomError::Stalled(30)));
        assert_eq!(soon(heard.recv()).await, Some(None));
        assert_eq!(soon(heard.recv()).await, Some(Some(UNFINISHED)));
    }

    #[tokio::test(start_paused = true)]
    async fn s_112_dropping_a_stream_ends_the_write_that_is_under_way() {
        let (stream, mut heard) = stream(None);
        assert_eq!(soon(heard.recv()).await, Some(None));
        drop(stream);
        assert_eq!(soon(heard.recv()).await, Some(Some(UNFINISHED)));
    }
}

//! Bounded queues between an adapter's callbacks and the reader of a stream or track. Neither end ever blocks the other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{mpsc, Notify};

use super::{DataFrame, RoomError};

/// Chunks kept apart. Beyond it they are joined, so that a sender of tiny chunks costs its bytes and not an entry each.
const MAX_CHUNKS: usize = 1024;

struct Pipe {
    state: Mutex<PipeState>,
    changed: Notify,
    limit: usize,
}

#[derive(Default)]
struct PipeState {
    chunks: VecDeque<Bytes>,
    /// What came after `chunks` were full.
    tail: BytesMut,
    /// Length of `chunks` and `tail` together.
    bytes: usize,
    end: Option<Result<(), RoomError>>,
    reader_gone: bool,
}

/// A byte pipe that holds at most `limit` bytes. The transport below has no credit (livekit-ffi.md 5.2), so what does
/// not fit ends the stream with [`RoomError::Overflow`].
pub fn byte_pipe(limit: usize) -> (ByteSink, ByteReader) {
    let pipe = Arc::new(Pipe { state: Mutex::default(), changed: Notify::new(), limit });
    (ByteSink { pipe: pipe.clone() }, ByteReader { pipe })
}

/// The adapter's end of a byte pipe. Dropping it without [`ByteSink::finish`] means the sender went away.
pub struct ByteSink {
    pipe: Arc<Pipe>,
}

/// A pipe took nothing: it is over its limit, or its reader is gone. The stream should be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeFull;

impl ByteSink {
    /// Adds a chunk; an empty one is nothing.
    pub fn push(&self, chunk: Bytes) -> Result<(), PipeFull> {
        let mut state = self.pipe.state.lock();
        if state.reader_gone || state.end.is_some() {
            return Err(PipeFull);
        }
        if state.bytes + chunk.len() > self.pipe.limit {
            state.end = Some(Err(RoomError::Overflow(self.pipe.limit)));
            drop(state);
            self.pipe.changed.notify_one();
            return Err(PipeFull);
        }
        if chunk.is_empty() {
            return Ok(());
        }
        state.bytes += chunk.len();
        if state.tail.is_empty() && state.chunks.len() < MAX_CHUNKS {
            state.chunks.push_back(chunk);
        } else {
            state.tail.extend_from_slice(&chunk);
        }
        drop(state);
        self.pipe.changed.notify_one();
        Ok(())
    }

    /// Ends the stream: `Ok` when the sender closed it.
    pub fn finish(&self, result: Result<(), RoomError>) {
        self.pipe.state.lock().end.get_or_insert(result);
        self.pipe.changed.notify_one();
    }

    /// Whether the reader was dropped: nobody wants the rest.
    pub fn reader_gone(&self) -> bool {
        self.pipe.state.lock().reader_gone
    }
}

impl Drop for ByteSink {
    fn drop(&mut self) {
        self.finish(Err(RoomError::SenderGone));
    }
}

/// The reading end of a byte pipe.
pub struct ByteReader {
    pipe: Arc<Pipe>,
}

impl ByteReader {
    /// The next chunk, `None` at the orderly end. Chunk edges mean nothing (P-5). Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, RoomError>> {
        loop {
            {
                let mut state = self.pipe.state.lock();
                let chunk = match state.chunks.pop_front() {
                    None if !state.tail.is_empty() => Some(std::mem::take(&mut state.tail).freeze()),
                    chunk => chunk,
                };
                if let Some(chunk) = chunk {
                    state.bytes -= chunk.len();
                    return Some(Ok(chunk));
                }
                match &state.end {
                    Some(Ok(())) => return None,
                    Some(Err(error)) => return Some(Err(error.clone())),
                    None => {}
                }
            }
            self.pipe.changed.notified().await;
        }
    }
}

impl Drop for ByteReader {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.reader_gone = true;
        state.chunks.clear();
        state.tail = BytesMut::new();
        state.bytes = 0;
    }
}

/// A frame pipe of `frames` places. A full pipe drops the new frame, as LiveKit's own buffer does, and counts it.
pub fn frame_pipe(frames: usize) -> (FrameSink, FrameReceiver) {
    let (tx, rx) = mpsc::channel(frames.max(1));
    let dropped = Arc::new(AtomicU64::new(0));
    (FrameSink { tx, dropped: dropped.clone() }, FrameReceiver { rx, dropped })
}

/// The adapter's end of a frame pipe.
#[derive(Clone)]
pub struct FrameSink {
    tx: mpsc::Sender<DataFrame>,
    dropped: Arc<AtomicU64>,
}

impl FrameSink {
    /// Adds a frame, or counts it as dropped. `Err` when the receiver is gone.
    pub fn push(&self, frame: DataFrame) -> Result<(), PipeFull> {
        match self.tx.try_send(frame) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(PipeFull),
        }
    }

    /// Resolves when the receiver was dropped.
    pub async fn closed(&self) {
        self.tx.closed().await;
    }
}

/// The reading end of a data-track subscription. Dropping it ends the subscription.
pub struct FrameReceiver {
    rx: mpsc::Receiver<DataFrame>,
    dropped: Arc<AtomicU64>,
}

impl FrameReceiver {
    /// The next frame, `None` when the track is gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<DataFrame> {
        self.rx.recv().await
    }

    /// Frames dropped because this reader was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

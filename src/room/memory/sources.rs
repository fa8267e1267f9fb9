//! Ready sources: bytes and frames a test hands to a room, hostile ones too.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{sleep, Sleep};

use crate::room::{ByteSource, DataFrame, DropCause, Fill, FrameSource, PipeFull};

/// Unwritten bytes a [`ChannelSource`] holds.
const SOURCE_BYTES: usize = 64 << 20;

/// Bytes pushed by a test, written to a stream as the room takes them.
#[derive(Default)]
pub struct ChannelSource {
    state: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl ChannelSource {
    /// An empty source.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes. One write never holds bytes of two pushes, so a test decides where chunks may end.
    /// Fails after [`ChannelSource::end`], or when more than 64 MiB would wait.
    pub fn push(&self, bytes: impl Into<Bytes>) -> Result<(), PipeFull> {
        let bytes = bytes.into();
        let mut state = self.state.lock();
        if state.ended || state.bytes + bytes.len() > SOURCE_BYTES {
            return Err(PipeFull);
        }
        if !bytes.is_empty() {
            state.bytes += bytes.len();
            state.chunks.push_back(bytes);
        }
        Self::wake(state);
        Ok(())
    }

    /// Ends the stream after what was pushed.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        Self::wake(state);
    }

    /// Bytes the room has not taken yet.
    pub fn waiting(&self) -> usize {
        self.state.lock().bytes
    }

    fn wake(mut state: parking_lot::MutexGuard<'_, Queue>) {
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl ByteSource for ChannelSource {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        let Some(mut chunk) = state.chunks.pop_front() else {
            if state.ended {
                return Poll::Ready(Fill::End);
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let now = chunk.split_to(chunk.len().min(max));
        state.bytes -= now.len();
        if !chunk.is_empty() {
            state.chunks.push_front(chunk);
        }
        out.extend_from_slice(&now);
        Poll::Ready(Fill::Bytes)
    }
}

/// One step of a [`ScriptedSource`].
#[derive(Debug, Clone)]
pub enum ScriptStep {
    /// Writes these bytes.
    Bytes(Bytes),
    /// Waits on tokio's clock.
    Wait(Duration),
    /// Never does anything again: a stream that stays open.
    Hang,
}

/// A stream that follows a script and then ends.
pub struct ScriptedSource {
    state: Mutex<Script>,
}

struct Script {
    steps: VecDeque<ScriptStep>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl ScriptedSource {
    /// A source that does `steps` in order.
    pub fn new(steps: impl IntoIterator<Item = ScriptStep>) -> Self {
        Self { state: Mutex::new(Script { steps: steps.into_iter().collect(), wait: None }) }
    }

    /// A source of one piece of bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new([ScriptStep::Bytes(bytes.into())])
    }
}

impl ByteSource for ScriptedSource {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        loop {
            if let Some(wait) = &mut state.wait {
                if wait.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                state.wait = None;
            }
            match state.steps.pop_front() {
                None => return Poll::Ready(Fill::End),
                Some(ScriptStep::Wait(time)) => state.wait = Some(Box::pin(sleep(time))),
                Some(ScriptStep::Hang) => {
                    state.steps.push_front(ScriptStep::Hang);
                    return Poll::Pending;
                }
                Some(ScriptStep::Bytes(bytes)) if bytes.is_empty() => {}
                Some(ScriptStep::Bytes(mut bytes)) => {
                    out.extend_from_slice(&bytes.split_to(bytes.len().min(max)));
                    if !bytes.is_empty() {
                        state.steps.push_front(ScriptStep::Bytes(bytes));
                    }
                    return Poll::Ready(Fill::Bytes);
                }
            }
        }
    }
}

/// A newest-wins place for one frame, as a channel has it, and a count of what the room could not send.
#[derive(Default)]
pub struct FrameSlot {
    frame: Mutex<Option<DataFrame>>,
    overwritten: AtomicU64,
    dropped: Mutex<Vec<DropCause>>,
}

impl FrameSlot {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a frame in, over one that still waits. Then call [`crate::room::DataTrack::notify`].
    pub fn put(&self, payload: impl Into<Bytes>, user_timestamp: u64) {
        let frame = DataFrame { payload: payload.into(), user_timestamp };
        if self.frame.lock().replace(frame).is_some() {
            self.overwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Frames overwritten before the room took them.
    pub fn overwritten(&self) -> u64 {
        self.overwritten.load(Ordering::Relaxed)
    }

    /// Causes of the frames the room took and could not send, oldest first; the first 1024.
    pub fn dropped(&self) -> Vec<DropCause> {
        self.dropped.lock().clone()
    }

    /// Whether a frame waits.
    pub fn is_full(&self) -> bool {
        self.frame.lock().is_some()
    }
}

impl FrameSource for FrameSlot {
    fn take(&self) -> Option<DataFrame> {
        self.frame.lock().take()
    }

    fn dropped(&self, cause: DropCause) {
        let mut dropped = self.dropped.lock();
        if dropped.len() < 1024 {
            dropped.push(cause);
        }
    }
}

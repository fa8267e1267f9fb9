//! The control stream: bytes waiting to be written to the robot, and the reading of what it writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use telelink::protocol::{Frame, FrameDecoder, ToViewer};
use telelink::room::{ByteReader, ByteSource, Fill, Identity, RoomError};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::ViewerError;
use crate::event::{Event, Via};
use crate::session::Arrived;
use crate::shared::Shared;

/// How long a room may take to open a byte stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes waiting to be written to one stream, bounded.
pub(crate) struct Outbox {
    state: Mutex<OutboxState>,
    drained: Notify,
    limit: usize,
}

#[derive(Default)]
struct OutboxState {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
    reader: Option<Waker>,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), drained: Notify::new(), limit })
    }

    /// Adds bytes, or refuses them all. An empty outbox takes anything.
    pub(crate) fn push(&self, bytes: Bytes) -> Result<(), ViewerError> {
        let waker = {
            let mut state = self.state.lock();
            if state.ended {
                return Err(ViewerError::NoSession);
            }
            if state.bytes > 0 && state.bytes.saturating_add(bytes.len()) > self.limit {
                return Err(ViewerError::QueueFull(state.bytes));
            }
            if bytes.is_empty() {
                return Ok(());
            }
            state.bytes += bytes.len();
            state.chunks.push_back(bytes);
            state.reader.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Adds bytes when there is room for them; the caller bounds the wait.
    pub(crate) async fn push_waiting(&self, bytes: Bytes) -> Result<(), ViewerError> {
        loop {
            let drained = self.drained.notified();
            match self.push(bytes.clone()) {
                Err(ViewerError::QueueFull(_)) => drained.await,
                result => return result,
            }
        }
    }

    /// Nothing more will come: the stream is closed when all is written.
    pub(crate) fn end(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.ended = true;
            state.reader.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.drained.notify_waiters();
    }
}

impl ByteSource for Outbox {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        let mut room = max;
        while room > 0 {
            let Some(front) = state.chunks.front_mut() else { break };
            let part = front.split_to(front.len().min(room));
            if front.is_empty() {
                state.chunks.pop_front();
            }
            out.extend_from_slice(&part);
            room -= part.len();
            state.bytes -= part.len();
        }
        if room < max {
            drop(state);
            // Everybody who waits may fit now; notify_one would let one large frame hide the room from the small ones.
            self.drained.notify_waiters();
            return Poll::Ready(Fill::Bytes);
        }
        if state.ended {
            return Poll::Ready(Fill::End);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Carries `outbox` to the robot until the session ends.
pub(crate) async fn write(shared: Arc<Shared>, robot: Identity, topic: &'static str, outbox: Arc<Outbox>) {
    let opening = shared.room.open_byte_stream(topic, &[robot], outbox.clone());
    let result = match timeout(OPEN_TIMEOUT, opening).await {
        Ok(Ok(stream)) => stream.ended().await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(RoomError::Timeout("open_byte_stream")),
    };
    outbox.end();
    if let Err(error) = result {
        shared.events.push_dropping(Event::WriterFailed(error), 0);
    }
}

/// Reads the robot's control stream of session `number` until it ends.
pub(crate) async fn read(shared: Arc<Shared>, number: u64, mut reader: ByteReader) {
    let mut decoder = FrameDecoder::default();
    loop {
        let chunk = match reader.next().await {
            Some(Ok(chunk)) => chunk,
            end => {
                let event = Event::StreamEnded { error: end.and_then(Result::err), mid_frame: decoder.is_mid_frame() };
                shared.end_session(number, Some(event));
                return;
            }
        };
        shared.count_control_bytes(chunk.len());
        decoder.push(chunk);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => handle(&shared, number, frame).await,
                Ok(None) => break,
                // P-52: nothing that follows can be trusted.
                Err(error) => {
                    shared.end_session(number, Some(Event::Unreadable(error)));
                    return;
                }
            }
        }
    }
}

async fn handle(shared: &Arc<Shared>, number: u64, frame: Frame) {
    let bytes = frame.payload.len();
    let message = match ToViewer::decode(&frame) {
        Ok(message) => message,
        Err(error) => {
            shared.malformed(number, error.to_string());
            return;
        }
    };
    if let Arrived::Data { channel_id, topic, log_time, data } = shared.on_message(number, message, bytes) {
        shared.deliver(channel_id, topic, log_time, data, Via::Control).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(outbox: &Outbox, max: usize) -> (Poll<Fill>, Vec<u8>) {
        let mut out = Vec::new();
        let polled = outbox.poll_fill(&mut Context::from_waker(Waker::noop()), max, &mut out);
        (polled, out)
    }

    #[test]
    fn outbox_slices_and_merges_chunks_in_order() {
        let outbox = Outbox::new(100);
        assert_eq!(fill(&outbox, 4).0, Poll::Pending);
        outbox.push(Bytes::from_static(b"abc")).unwrap();
        outbox.push(Bytes::from_static(b"")).unwrap();
        outbox.push(Bytes::from_static(b"defgh")).unwrap();
        assert_eq!(fill(&outbox, 4), (Poll::Ready(Fill::Bytes), b"abcd".to_vec()));
        outbox.end();
        assert!(matches!(outbox.push(Bytes::from_static(b"x")), Err(ViewerError::NoSession)));
        assert_eq!(fill(&outbox, 100), (Poll::Ready(Fill::Bytes), b"efgh".to_vec()));
        assert_eq!(fill(&outbox, 100).0, Poll::Ready(Fill::End));
    }

    #[test]
    fn outbox_is_bounded_but_takes_one_large_frame() {
        let outbox = Outbox::new(10);
        outbox.push(Bytes::from(vec![0; 50])).unwrap();
        assert!(matches!(outbox.push(Bytes::from_static(b"x")), Err(ViewerError::QueueFull(50))));
        assert_eq!(fill(&outbox, 45).1.len(), 45);
        outbox.push(Bytes::from_static(b"12345")).unwrap();
        assert!(matches!(outbox.push(Bytes::from_static(b"x")), Err(ViewerError::QueueFull(10))));
    }

    #[tokio::test]
    async fn outbox_takes_bytes_when_there_is_room() {
        let outbox = Outbox::new(4);
        outbox.push(Bytes::from_static(b"full")).unwrap();
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.push_waiting(Bytes::from_static(b"more")).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(fill(&outbox, 100).1, b"full");
        waiting.await.unwrap().unwrap();
        assert_eq!(fill(&outbox, 100).1, b"more");
    }
}

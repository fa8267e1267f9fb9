//! What the raw robot's streams and tracks carry.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use telelink::protocol::{data_track, message_data_frame};
use telelink::room::{ByteSource, DataFrame, DropCause, Fill, FrameSource};

/// One viewer's byte stream. The orchestrator's window bounds what waits in it.
#[derive(Default)]
pub(crate) struct RawSource {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// The rest of a frame that did not fit the last write.
    rest: Bytes,
    coalesce: bool,
    waker: Option<Waker>,
}

enum Waiting {
    Control(Bytes),
    Message { channel: u64, log_time: u64, payload: Arc<[u8]> },
}

impl RawSource {
    pub(crate) fn control(&self, frame: Bytes) {
        self.push(Waiting::Control(frame));
    }

    pub(crate) fn message(&self, channel: u64, log_time: u64, payload: Arc<[u8]>) {
        self.push(Waiting::Message { channel, log_time, payload });
    }

    pub(crate) fn set_coalesce(&self, coalesce: bool) {
        self.state.lock().coalesce = coalesce;
    }

    fn push(&self, waiting: Waiting) {
        let waker = {
            let mut state = self.state.lock();
            state.waiting.push_back(waiting);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl ByteSource for RawSource {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        let mut room = max;
        loop {
            if state.rest.is_empty() {
                state.rest = match state.waiting.pop_front() {
                    None => break,
                    Some(Waiting::Control(frame)) => frame,
                    Some(Waiting::Message { channel, log_time, payload }) => {
                        message_data_frame(channel, log_time, &payload).expect("a message below 16 MiB")
                    }
                };
            }
            let n = state.rest.len().min(room);
            out.extend_from_slice(&state.rest[..n]);
            state.rest.advance(n);
            room -= n;
            if room == 0 || (state.rest.is_empty() && !state.coalesce) {
                break;
            }
        }
        if room < max {
            return Poll::Ready(Fill::Bytes);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// One data track: the newest frame.
#[derive(Default)]
pub(crate) struct LatestFrame {
    state: Mutex<(u32, Option<DataFrame>)>,
}

impl LatestFrame {
    pub(crate) fn put(&self, log_time: u64, payload: &[u8]) {
        let mut state = self.state.lock();
        let frame = data_track::frame(state.0, payload).freeze();
        state.0 = state.0.wrapping_add(1);
        state.1 = Some(DataFrame { payload: frame, user_timestamp: log_time });
    }
}

impl FrameSource for LatestFrame {
    fn take(&self) -> Option<DataFrame> {
        self.state.lock().1.take()
    }

    /// A gap in the sequence, which the receiver counts.
    fn dropped(&self, _cause: DropCause) {}
}

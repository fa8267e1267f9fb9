//! The newest-wins slot between `log` and a channel's data track (design.md section 4, P-150 to P-156).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::protocol::data_track;
use crate::room::{DataFrame, DataTrack, DropCause, FrameSource};

use super::drops::ChannelCounters;
use super::sync::Mutex;
use super::Signals;

/// Frames that may wait, so that an application that catches up after a late wake-up loses nothing.
const MAX_FRAMES: usize = if cfg!(telelink_loom) { 2 } else { 8 };
/// Their bytes; one frame always fits.
const MAX_BYTES: usize = 128 << 10;
/// A frame that waited longer is stale and goes when a newer one is there: an overloaded room stays live and fair, each
/// channel sending its newest frame in turn.
const FRESH: Duration = if cfg!(telelink_loom) { Duration::MAX } else { Duration::from_millis(20) };

/// What waits for the data track of one channel: the newest frames of the last moments, in order.
///
/// The sequence number is assigned here, under the slot's lock, so that a frame that newer ones pushed out is a gap the
/// viewer sees. Frames refused as oversize or not ready consume no number (P-150, P-155).
pub struct LossySlot {
    channel: u64,
    limit: usize,
    /// Whether the newest message that came before the track is kept for it (S-227).
    latch: bool,
    state: Mutex<State>,
    counters: Arc<ChannelCounters>,
    signals: Arc<Signals>,
}

#[derive(Default)]
struct State {
    track: Option<Arc<dyn DataTrack>>,
    frames: VecDeque<(DataFrame, Instant)>,
    bytes: usize,
    next_sequence: u32,
    /// The newest message that came before the track, with its log time.
    early: Option<(BytesMut, u64)>,
}

impl State {
    /// Numbers a frame and lets it wait. Answers how many others it pushed out.
    fn push(&mut self, mut frame: BytesMut, log_time: u64, now: Instant) -> u64 {
        data_track::set_sequence(&mut frame, self.next_sequence);
        self.next_sequence = self.next_sequence.wrapping_add(1);
        let (len, mut pushed_out) = (frame.len(), 0);
        while self.frames.len() >= MAX_FRAMES || (self.bytes + len > MAX_BYTES && !self.frames.is_empty()) {
            self.pop();
            pushed_out += 1;
        }
        self.bytes += len;
        self.frames.push_back((DataFrame { payload: frame.freeze(), user_timestamp: log_time }, now));
        pushed_out
    }

    fn pop(&mut self) -> Option<(DataFrame, Instant)> {
        let (frame, since) = self.frames.pop_front()?;
        self.bytes -= frame.payload.len();
        Some((frame, since))
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

impl LossySlot {
    /// The slot of `channel`, for messages of at most `limit` bytes.
    pub fn new(channel: u64, limit: usize, counters: Arc<ChannelCounters>, signals: Arc<Signals>) -> Self {
        Self { channel, limit, latch: false, state: Mutex::default(), counters, signals }
    }

    /// Keeps the newest message that comes before the track is published, and sends it first (S-227).
    pub fn latching(mut self, latch: bool) -> Self {
        self.latch = latch;
        self
    }

    /// Puts a message into the slot. Never blocks on the room.
    pub fn log(&self, payload: &[u8], log_time: u64) {
        if payload.len() > self.limit {
            ChannelCounters::add(&self.counters.oversize, 1);
            self.signals.oversize(self.channel);
            return;
        }
        // Allocated and filled outside the lock; only the number is written inside.
        let frame = data_track::frame(0, payload);
        let now = Instant::now();
        let (track, pushed_out) = {
            let mut state = self.state.lock();
            let Some(track) = state.track.clone() else {
                let lost = !self.latch || state.early.replace((frame, log_time)).is_some();
                drop(state);
                ChannelCounters::add(&self.counters.not_ready, u64::from(lost));
                return;
            };
            let pushed_out = state.push(frame, log_time, now);
            // A slot that held a frame has been announced already.
            ((state.frames.len() == 1 || pushed_out > 0).then_some(track), pushed_out)
        };
        self.count_message(payload.len());
        if pushed_out > 0 {
            ChannelCounters::add(&self.counters.overwritten, pushed_out);
        }
        if let Some(track) = track {
            track.notify();
        }
    }

    /// The track is published: frames flow from now on, numbered from 0 (P-155).
    pub fn attach(&self, track: Arc<dyn DataTrack>) {
        let early = {
            let mut state = self.state.lock();
            state.track = Some(track.clone());
            state.next_sequence = 0;
            state.clear();
            state.early.take().map(|(frame, log_time)| {
                let len = frame.len() - data_track::HEADER_LEN;
                state.push(frame, log_time, Instant::now());
                len
            })
        };
        if let Some(len) = early {
            self.count_message(len);
            track.notify();
        }
    }

    fn count_message(&self, len: usize) {
        ChannelCounters::add(&self.counters.lossy_messages, 1);
        ChannelCounters::add(&self.counters.lossy_bytes, len as u64);
    }

    /// The track is gone: frames are dropped until the next one, and so are those that wait. Returns the track, to be
    /// unpublished.
    pub fn detach(&self) -> Option<Arc<dyn DataTrack>> {
        self.take_track(&mut self.state.lock())
    }

    /// The same, unless the slot has got another track meanwhile.
    pub fn detach_if(&self, track: &Arc<dyn DataTrack>) {
        let mut state = self.state.lock();
        if state.track.as_ref().is_some_and(|current| Arc::ptr_eq(current, track)) {
            // The caller holds the track too, so it does not end under this lock.
            self.take_track(&mut state);
        }
    }

    fn take_track(&self, state: &mut State) -> Option<Arc<dyn DataTrack>> {
        let early = u64::from(state.early.take().is_some());
        ChannelCounters::add(&self.counters.not_ready, state.frames.len() as u64 + early);
        state.clear();
        state.track.take()
    }

    /// As if so many frames had been numbered on this track.
    #[cfg(test)]
    pub(super) fn set_next_sequence(&self, next: u32) {
        self.state.lock().next_sequence = next;
    }
}

impl FrameSource for LossySlot {
    fn take(&self) -> Option<DataFrame> {
        let mut stale = 0;
        let (frame, more) = {
            let mut state = self.state.lock();
            while state.frames.len() > 1 && state.frames.front().is_some_and(|(_, since)| since.elapsed() > FRESH) {
                state.pop();
                stale += 1;
            }
            let (frame, _) = state.pop()?;
            (frame, if state.frames.is_empty() { None } else { state.track.clone() })
        };
        if stale > 0 {
            ChannelCounters::add(&self.counters.overwritten, stale);
        }
        // One frame per turn of the pacer: the channel queues up again behind the others.
        if let Some(track) = more {
            track.notify();
        }
        Some(frame)
    }

    fn dropped(&self, cause: DropCause) {
        self.counters.dropped(cause);
    }
}

//! The newest-wins slot between `log` and a channel's data track (design.md section 4, P-150 to P-156).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::protocol::data_track;
use crate::room::{DataFrame, DataTrack, DropCause, FrameSource};

use super::drops::ChannelCounters;
use super::Signals;

/// What waits for the data track of one channel: at most one frame.
///
/// The sequence number is assigned here, under the slot's lock, so that a frame that a newer one replaced is a gap the
/// viewer sees. Frames refused as oversize or not ready consume no number (P-150, P-155).
pub struct LossySlot {
    channel: u64,
    limit: usize,
    state: Mutex<State>,
    counters: Arc<ChannelCounters>,
    signals: Arc<Signals>,
    /// Oversize drops not yet taken by the owner, and whether it was told that there are some.
    oversize: AtomicU64,
    oversize_told: AtomicBool,
}

#[derive(Default)]
struct State {
    track: Option<Arc<dyn DataTrack>>,
    frame: Option<DataFrame>,
    next_sequence: u32,
}

impl LossySlot {
    /// The slot of `channel`, for messages of at most `limit` bytes.
    pub fn new(channel: u64, limit: usize, counters: Arc<ChannelCounters>, signals: Arc<Signals>) -> Self {
        Self {
            channel,
            limit,
            state: Mutex::default(),
            counters,
            signals,
            oversize: AtomicU64::new(0),
            oversize_told: AtomicBool::new(false),
        }
    }

    /// Puts a message into the slot. Never blocks on the room.
    pub fn log(&self, payload: &[u8], log_time: u64) {
        if payload.len() > self.limit {
            ChannelCounters::add(&self.counters.oversize, 1);
            self.oversize.fetch_add(1, Ordering::Relaxed);
            if !self.oversize_told.swap(true, Ordering::AcqRel) {
                self.signals.oversize(self.channel);
            }
            return;
        }
        // Allocated and filled outside the lock; only the number is written inside.
        let mut frame = data_track::frame(0, payload);
        let (track, replaced) = {
            let mut state = self.state.lock();
            let Some(track) = state.track.clone() else {
                drop(state);
                ChannelCounters::add(&self.counters.not_ready, 1);
                return;
            };
            data_track::set_sequence(&mut frame, state.next_sequence);
            state.next_sequence = state.next_sequence.wrapping_add(1);
            let frame = DataFrame { payload: frame.freeze(), user_timestamp: log_time };
            (track, state.frame.replace(frame))
        };
        ChannelCounters::add(&self.counters.lossy_messages, 1);
        ChannelCounters::add(&self.counters.lossy_bytes, payload.len() as u64);
        if replaced.is_some() {
            ChannelCounters::add(&self.counters.overwritten, 1);
        } else {
            // A slot that was full has been announced already.
            track.notify();
        }
    }

    /// The track is published: frames flow from now on, numbered from 0 (P-155).
    pub fn attach(&self, track: Arc<dyn DataTrack>) {
        let mut state = self.state.lock();
        state.track = Some(track);
        state.next_sequence = 0;
        state.frame = None;
    }

    /// The track is gone: frames are dropped until the next one. Returns it, to be unpublished.
    pub fn detach(&self) -> Option<Arc<dyn DataTrack>> {
        let mut state = self.state.lock();
        state.frame = None;
        state.track.take()
    }

    /// Oversize drops since the last call; the next one signals again.
    pub fn take_oversize(&self) -> u64 {
        self.oversize_told.store(false, Ordering::Release);
        self.oversize.swap(0, Ordering::AcqRel)
    }
}

impl FrameSource for LossySlot {
    fn take(&self) -> Option<DataFrame> {
        self.state.lock().frame.take()
    }

    fn dropped(&self, cause: DropCause) {
        self.counters.dropped(cause);
    }
}

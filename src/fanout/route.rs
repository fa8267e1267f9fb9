//! Who gets a channel's messages, over what: an immutable snapshot.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::protocol::message_data_frame;

use super::drops::ChannelCounters;
use super::{LossySlot, PictureKind, Signals, VideoTap, ViewerQueue};

/// The route of one channel. The session replaces it whole; `log` reads it without a lock.
pub struct Route {
    channel: u64,
    counters: Arc<ChannelCounters>,
    signals: Arc<Signals>,
    reliable: SmallVec<[Arc<ViewerQueue>; 4]>,
    lossy: Option<Arc<LossySlot>>,
    video: Option<Arc<dyn VideoTap>>,
}

impl Route {
    /// A route to the queues of the reliable subscribers and, when there are lossy ones, to the slot; to the video track
    /// beside them when somebody watches (S-90).
    pub fn new(
        channel: u64,
        counters: Arc<ChannelCounters>,
        signals: Arc<Signals>,
        reliable: impl IntoIterator<Item = Arc<ViewerQueue>>,
        lossy: Option<Arc<LossySlot>>,
        video: Option<Arc<dyn VideoTap>>,
    ) -> Self {
        Self { channel, counters, signals, reliable: reliable.into_iter().collect(), lossy, video }
    }

    /// Sends one message along the route. Never blocks. The payload is copied once per path, not per viewer.
    pub fn log(&self, payload: &[u8], log_time: u64) {
        self.log_keeping(payload, log_time, false);
    }

    /// [`log`](Self::log), and the copy that was made for reliable subscribers, if it is wanted and one was made.
    pub fn log_keeping(&self, payload: &[u8], log_time: u64, keep: bool) -> Option<Bytes> {
        if let Some(video) = &self.video {
            video.message(payload, log_time);
        }
        self.send(payload, log_time, keep)
    }

    /// Whether somebody wants the channel's messages as data.
    pub fn wants_data(&self) -> bool {
        self.lossy.is_some() || !self.reliable.is_empty()
    }

    /// Sends a picture that has no message to the video track, if there is one.
    pub fn picture(&self, kind: PictureKind, data: &[u8], log_time: u64) {
        if let Some(video) = &self.video {
            video.picture(kind, data, log_time);
        }
    }

    /// Sends a message to data subscribers only.
    pub fn log_data(&self, payload: &[u8], log_time: u64) {
        self.send(payload, log_time, false);
    }

    fn send(&self, payload: &[u8], log_time: u64, keep: bool) -> Option<Bytes> {
        if let Some(slot) = &self.lossy {
            slot.log(payload, log_time);
        }
        let (last, others) = self.reliable.split_last()?;
        let Ok(frame) = message_data_frame(self.channel, log_time, payload) else {
            // Over 16 MiB: no peer would take the frame (P-133).
            ChannelCounters::add(&self.counters.oversize, 1);
            self.signals.oversize(self.channel);
            return None;
        };
        ChannelCounters::add(&self.counters.reliable_messages, 1);
        ChannelCounters::add(&self.counters.reliable_bytes, payload.len() as u64);
        for queue in others {
            queue.push(frame.clone());
        }
        // The payload is the end of the frame (P-130).
        let copy = keep.then(|| frame.slice(frame.len() - payload.len()..));
        last.push(frame);
        copy
    }
}

//! Who gets a channel's messages, over what: an immutable snapshot.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::protocol::message_data_frame;

use super::drops::ChannelCounters;
use super::{LossySlot, ViewerQueue};

/// The route of one channel. The session replaces it whole; `log` reads it without a lock.
pub struct Route {
    channel: u64,
    counters: Arc<ChannelCounters>,
    reliable: SmallVec<[Arc<ViewerQueue>; 4]>,
    lossy: Option<Arc<LossySlot>>,
}

impl Route {
    /// A route to the queues of the reliable subscribers and, when there are lossy ones, to the slot.
    pub fn new(
        channel: u64,
        counters: Arc<ChannelCounters>,
        reliable: impl IntoIterator<Item = Arc<ViewerQueue>>,
        lossy: Option<Arc<LossySlot>>,
    ) -> Self {
        Self { channel, counters, reliable: reliable.into_iter().collect(), lossy }
    }

    /// Sends one message along the route. Never blocks. The payload is copied once per path, not per viewer.
    pub fn log(&self, payload: &[u8], log_time: u64) {
        if let Some(slot) = &self.lossy {
            slot.log(payload, log_time);
        }
        let Some((last, others)) = self.reliable.split_last() else { return };
        let Ok(frame) = message_data_frame(self.channel, log_time, payload) else {
            // Over 16 MiB: no peer would take the frame (P-133).
            ChannelCounters::add(&self.counters.oversize, 1);
            return;
        };
        ChannelCounters::add(&self.counters.reliable_messages, 1);
        ChannelCounters::add(&self.counters.reliable_bytes, payload.len() as u64);
        for queue in others {
            queue.push(frame.clone());
        }
        last.push(frame);
    }
}

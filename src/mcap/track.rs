//! A channel of the file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use crate::context::{ChannelRef, Schema};

use super::McapChannelStats;

/// What makes two channels the same in a file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TrackInfo {
    pub(super) topic: String,
    pub(super) encoding: String,
    pub(super) schema: Option<Schema>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl TrackInfo {
    pub(super) fn of(channel: &ChannelRef) -> Self {
        Self {
            topic: channel.topic().to_owned(),
            encoding: channel.encoding().to_owned(),
            schema: channel.schema().cloned(),
            metadata: channel.metadata().clone(),
        }
    }
}

/// A channel of the file with its figures.
#[derive(Debug)]
pub(super) struct Track {
    /// Its channel id in the file.
    pub(super) id: u16,
    pub(super) info: Arc<TrackInfo>,
    /// Number of the next message; dropped ones take one too. Changed under the queue's lock, so that the order of numbers
    /// is the order in the file.
    sequence: AtomicU32,
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl Track {
    pub(super) fn new(id: u16, info: Arc<TrackInfo>) -> Self {
        Self {
            id,
            info,
            sequence: AtomicU32::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// One more message, taken.
    pub(super) fn take(&self, bytes: usize) -> u32 {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// One more message, dropped.
    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.sequence.fetch_add(1, Ordering::Relaxed);
    }

    /// One message that was taken is dropped after all.
    pub(super) fn drop_taken(&self, bytes: usize) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> McapChannelStats {
        McapChannelStats {
            topic: self.info.topic.clone(),
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            dropped_messages: self.dropped(),
        }
    }
}

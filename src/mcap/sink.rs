//! The writer as a sink of its context.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::context::{run_callback, ChannelRef, Message, Output, Sink, SinkId, VideoImage};

use super::options::McapChannelFilter;
use super::queue::Queue;
use super::track::{Track, TrackInfo};
use super::McapChannelStats;

/// Channels that a file can hold: ids have 16 bits, and so have those of their schemas, of which 0 is none.
const MAX_TRACKS: usize = 65_535;

/// The channels of the file. Not touched by `log`.
#[derive(Default)]
pub(super) struct Tracks {
    by_info: HashMap<Arc<TrackInfo>, Arc<Track>>,
    /// In the order of their ids.
    all: Vec<Arc<Track>>,
    refused: u64,
}

impl Tracks {
    /// The track of a channel: one there is, or a new one, which `true` says.
    fn of(&mut self, info: TrackInfo) -> Option<(Arc<Track>, bool)> {
        if let Some(track) = self.by_info.get(&info) {
            return Some((track.clone(), false));
        }
        let Some(id) = u16::try_from(self.all.len()).ok().filter(|_| self.all.len() < MAX_TRACKS) else {
            self.refused += 1;
            return None;
        };
        let info = Arc::new(info);
        let track = Arc::new(Track::new(id, info.clone()));
        self.by_info.insert(info, track.clone());
        self.all.push(track.clone());
        Some((track, true))
    }

    pub(super) fn all(&self) -> &[Arc<Track>] {
        &self.all
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn stats_of(&self, info: &TrackInfo) -> Option<McapChannelStats> {
        self.by_info.get(info).map(|track| track.stats())
    }
}

/// Asks the filter once per channel, and gives each recorded one its output.
pub(super) struct McapSink {
    pub(super) id: SinkId,
    pub(super) queue: Arc<Queue>,
    pub(super) tracks: Arc<Mutex<Tracks>>,
    pub(super) filter: Option<McapChannelFilter>,
}

impl McapSink {
    fn add(&self, channel: &ChannelRef) {
        if let Some(filter) = &self.filter {
            if !run_callback("channel_filter", &self.queue.panics, || filter(channel)).unwrap_or(false) {
                return;
            }
        }
        let track = {
            let mut tracks = self.tracks.lock();
            let Some((track, new)) = tracks.of(TrackInfo::of(channel)) else {
                if tracks.refused == 1 {
                    tracing::warn!(
                        topic = channel.topic(),
                        "an MCAP file holds {MAX_TRACKS} channels; more are left out"
                    );
                }
                return;
            };
            // Under the lock: before any message of another channel with the same track.
            if new && !self.queue.track(track.clone()) {
                return;
            }
            track
        };
        channel.set_output(self.id, Some(Arc::new(McapOutput { queue: self.queue.clone(), track })));
        // Closed meanwhile: whoever closed has taken the outputs away before this one came.
        if !self.queue.is_open() {
            channel.set_output(self.id, None);
        }
        if let Some(source) = channel.video_source() {
            // A recording of encoded pictures that begins between key frames cannot be shown before the next.
            source.request_key_frame();
        }
    }
}

impl Sink for McapSink {
    fn channels_added(&self, channels: &[ChannelRef]) {
        channels.iter().for_each(|channel| self.add(channel));
    }

    fn channel_removed(&self, _: &ChannelRef) {
        // Its output is gone, and a file does not say that a channel ends.
    }
}

/// A recorded channel's way to the queue.
struct McapOutput {
    queue: Arc<Queue>,
    track: Arc<Track>,
}

impl Output for McapOutput {
    fn log(&self, message: Message<'_>) {
        self.queue.message(&self.track, message.log_time, message.to_bytes());
    }

    fn picture(&self, _: &VideoImage<'_>, log_time: u64, message: &mut dyn FnMut() -> Bytes) {
        self.queue.message(&self.track, log_time, message());
    }
}

//! `Context`: owns the channels and sinks.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;

use super::channel::{Channel, ChannelBuilder, ChannelId, ChannelRef};
use super::sink::{Sink, SinkId};
use super::video_source::{VideoSource, VideoSourceOptions};
use super::ChannelError;

/// A set of channels and the sinks that consume them. Clones share the same set. Thread-safe.
#[derive(Clone, Default)]
pub struct Context {
    shared: Arc<Registry>,
}

/// The shared part of a context.
#[derive(Default)]
pub(super) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channels: IndexMap<ChannelId, ChannelRef>,
    sinks: IndexMap<SinkId, Arc<dyn Sink>>,
    next_sink: u64,
}

impl Context {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a channel. Topics need not be unique: two channels of one topic are two channels.
    pub fn channel(&self, topic: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(self.clone(), topic.into())
    }

    /// Opens an image channel that is pushed pictures instead of messages.
    pub fn video_source(
        &self,
        topic: impl Into<String>,
        options: VideoSourceOptions,
    ) -> Result<VideoSource, ChannelError> {
        VideoSource::open(self, topic.into(), options)
    }

    /// Attaches a sink: it is told all existing channels before this returns, and every change afterwards.
    pub fn add_sink(&self, sink: Arc<dyn Sink>) -> SinkId {
        self.add_sink_with(|_| sink)
    }

    /// [`add_sink`](Self::add_sink) for a sink that needs its id from the first channel on. `make` runs first.
    pub fn add_sink_with(&self, make: impl FnOnce(SinkId) -> Arc<dyn Sink>) -> SinkId {
        let id = {
            let mut state = self.shared.state.lock();
            state.next_sink += 1;
            SinkId(state.next_sink)
        };
        let sink = make(id);
        let existing = {
            let mut state = self.shared.state.lock();
            state.sinks.insert(id, sink.clone());
            state.channels.values().cloned().collect::<Vec<_>>()
        };
        if !existing.is_empty() {
            sink.channels_added(&existing);
        }
        id
    }

    /// Detaches a sink: it gets no more messages or notices, apart from those already under way on other threads.
    pub fn remove_sink(&self, id: SinkId) {
        let (sink, channels) = {
            let mut state = self.shared.state.lock();
            let Some(sink) = state.sinks.shift_remove(&id) else { return };
            (sink, state.channels.values().cloned().collect::<Vec<_>>())
        };
        for channel in channels {
            channel.set_output(id, None);
        }
        // Outside the lock: what it owns may be the last handle of a channel of this context.
        drop(sink);
    }

    /// The open channels, oldest first.
    pub fn channels(&self) -> Vec<ChannelRef> {
        self.shared.state.lock().channels.values().cloned().collect()
    }

    pub(super) fn register(&self, channel: ChannelRef) -> Channel {
        let sinks = {
            let mut state = self.shared.state.lock();
            state.channels.insert(channel.id(), channel.clone());
            state.sinks.values().cloned().collect::<Vec<_>>()
        };
        let handle = Channel::new(channel.clone(), self.clone());
        for sink in sinks {
            sink.channels_added(std::slice::from_ref(&channel));
        }
        handle
    }

    pub(super) fn unregister(&self, channel: &ChannelRef) {
        let sinks = {
            let mut state = self.shared.state.lock();
            if state.channels.shift_remove(&channel.id()).is_none() {
                return;
            }
            state.sinks.values().cloned().collect::<Vec<_>>()
        };
        for sink in sinks {
            sink.channel_removed(channel);
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("Context").field("channels", &state.channels.len()).field("sinks", &state.sinks.len()).finish()
    }
}

//! The session as a sink of its context: asks the policies once per channel, and wires routes to channels.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use crate::context::{ChannelRef, Message, Output, Qos, Sink};
use crate::fanout::Route;
use crate::video::image_kind;

use super::callbacks::run_callback;
use super::core::{ChannelAdded, VideoCapability};
use super::inputs::Inputs;
use super::options::{ChannelFilter, QosClassifier};

/// Passes channel changes to the owner. The policies run here, on the thread that creates the channel (S-84), and their
/// answers are remembered with the channel across rejoins.
pub(crate) struct SessionSink {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) filter: Option<ChannelFilter>,
    pub(crate) qos: Option<QosClassifier>,
    pub(crate) panics: Arc<AtomicU64>,
}

impl SessionSink {
    fn decide(&self, channel: &ChannelRef) -> Option<ChannelAdded> {
        if let Some(filter) = &self.filter {
            // A filter that panics excludes the channel (S-266).
            if !run_callback("channel_filter", &self.panics, || filter(channel)).unwrap_or(false) {
                return None;
            }
        }
        let qos = match &self.qos {
            Some(classify) => run_callback("qos_classifier", &self.panics, || classify(channel)).unwrap_or(Qos::Lossy),
            None => channel.qos(),
        };
        Some(ChannelAdded { channel: channel.clone(), qos, video: video_capability(channel) })
    }
}

impl Sink for SessionSink {
    fn channels_added(&self, channels: &[ChannelRef]) {
        let added: Vec<ChannelAdded> = channels.iter().filter_map(|channel| self.decide(channel)).collect();
        if !added.is_empty() {
            self.inputs.channels_added(added);
        }
    }

    fn channel_removed(&self, channel: &ChannelRef) {
        self.inputs.channel_removed(channel);
    }
}

fn video_capability(channel: &ChannelRef) -> VideoCapability {
    match channel.schema().and_then(|schema| image_kind(channel.encoding(), &schema.name)) {
        Some(_) => VideoCapability::Yes,
        None => VideoCapability::No,
    }
}

/// A route as a channel's output.
pub(crate) struct RouteOutput(pub(crate) Route);

impl Output for RouteOutput {
    #[inline]
    fn log(&self, message: Message<'_>) {
        self.0.log(message.payload, message.log_time);
    }
}

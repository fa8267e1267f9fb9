//! The session as a sink of its context: asks the policies once per channel, and wires routes to channels.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use bytes::Bytes;

use crate::context::{ChannelRef, Message, Output, Qos, Sink, VideoFormat, VideoImage};
use crate::fanout::{PictureKind, PixelLayout, Route};
use crate::video::image_kind;

use super::core::{ChannelAdded, VideoCapability};
use super::inputs::Inputs;
use super::options::{ChannelFilter, QosClassifier};
use super::video::VideoSuppressor;
use crate::context::run_callback;

/// Passes channel changes to the owner. The policies run here, on the thread that creates the channel (S-84), and their
/// answers are remembered with the channel across rejoins.
pub(crate) struct SessionSink {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) filter: Option<ChannelFilter>,
    pub(crate) qos: Option<QosClassifier>,
    pub(crate) suppress_video: Option<VideoSuppressor>,
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
        Some(ChannelAdded { channel: channel.clone(), qos, video: self.video(channel) })
    }

    /// The opt-out is asked only for what would become video (S-230).
    fn video(&self, channel: &ChannelRef) -> VideoCapability {
        let image = channel.schema().is_some_and(|schema| image_kind(channel.encoding(), &schema.name).is_some());
        if !channel.video() || !(image || channel.video_source().is_some()) {
            return VideoCapability::No;
        }
        let suppressed = self.suppress_video.as_ref().is_some_and(|suppress| {
            run_callback("suppress_video", &self.panics, || suppress(channel)).unwrap_or(false)
        });
        if suppressed {
            VideoCapability::No
        } else {
            VideoCapability::Yes
        }
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

/// A route as a channel's output.
pub(crate) struct RouteOutput(pub(crate) Route);

impl Output for RouteOutput {
    #[inline]
    fn log(&self, message: Message<'_>) {
        if let Some(copy) = self.0.log_keeping(message.payload, message.log_time, message.wants_share()) {
            message.share(copy);
        }
    }

    fn shares_copy(&self) -> bool {
        true
    }

    fn picture(&self, image: &VideoImage<'_>, log_time: u64, message: &mut dyn FnMut() -> Bytes) {
        self.0.picture(picture_kind(image), image.data, log_time);
        if self.0.wants_data() {
            self.0.log_data(&message(), log_time);
        }
    }
}

fn picture_kind(image: &VideoImage<'_>) -> PictureKind {
    let (width, height) = (image.width, image.height);
    let pixels = |layout| PictureKind::Pixels { layout, width, height, stride: image.stride() };
    match image.format {
        VideoFormat::I420 => pixels(PixelLayout::I420),
        VideoFormat::Nv12 => pixels(PixelLayout::Nv12),
        VideoFormat::Rgb8 => pixels(PixelLayout::Rgb8),
        VideoFormat::Bgr8 => pixels(PixelLayout::Bgr8),
        VideoFormat::Rgba8 => pixels(PixelLayout::Rgba8),
        VideoFormat::Bgra8 => pixels(PixelLayout::Bgra8),
        VideoFormat::Mono8 => pixels(PixelLayout::Mono8),
        VideoFormat::Yuyv => pixels(PixelLayout::Yuyv),
        VideoFormat::Uyvy => pixels(PixelLayout::Uyvy),
        VideoFormat::Mjpeg => PictureKind::Jpeg,
        VideoFormat::H264 => PictureKind::H264 { width, height, key_frame: image.key_frame },
    }
}

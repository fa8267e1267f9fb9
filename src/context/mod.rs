//! What the application logs into: [`Context`], [`Channel`], and the [`Sink`] interface by which a session, or anything
//! else that consumes messages, attaches.
//!
//! `Channel::log` costs one relaxed load while nobody wants the channel. No lock is held while a sink is called.

mod callback;
mod channel;
mod registry;
mod sink;
#[cfg(test)]
mod tests;
mod video_message;
mod video_source;

pub(crate) use callback::run_callback;
pub use channel::{Channel, ChannelBuilder, ChannelError, ChannelId, ChannelRef, Closed, Qos, Schema};
pub use registry::Context;
pub use sink::{Message, Output, PayloadCopy, Sink, SinkId};
pub use video_source::{
    VideoFormat, VideoImage, VideoPushError, VideoSource, VideoSourceInfo, VideoSourceKind, VideoSourceOptions,
};

/// Wall-clock time now, ns since the Unix epoch (0 before 1970).
pub fn now_ns() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

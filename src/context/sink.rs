//! The consumer's side of a context.

use bytes::Bytes;

use super::{ChannelRef, VideoImage};

/// A consumer of a context's channels. A session is one; a recorder is another.
///
/// The calls come from whatever thread creates or closes a channel, with no lock of ours held, and must not block.
/// A removal may overtake the addition of the same channel; the late addition finds [`ChannelRef::is_closed`].
pub trait Sink: Send + Sync + 'static {
    /// Channels came: all existing ones when the sink is added, single ones later.
    fn channels_added(&self, channels: &[ChannelRef]);
    /// A channel was closed. Its outputs are gone already.
    fn channel_removed(&self, channel: &ChannelRef);
}

/// Where a channel's messages go for one sink, while that sink wants them.
///
/// Called on the thread that logs: must not block, and must not call back into the channel.
pub trait Output: Send + Sync + 'static {
    /// One message.
    fn log(&self, message: Message<'_>);

    /// One picture of a [`VideoSource`](super::VideoSource). `message` makes the message that stands for it; a consumer that
    /// takes pictures as they are does not call it.
    fn picture(&self, image: &VideoImage<'_>, log_time: u64, message: &mut dyn FnMut() -> Bytes) {
        let _ = image;
        self.log(Message { payload: &message(), log_time });
    }
}

/// One logged message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The bytes as logged.
    pub payload: &'a [u8],
    /// Log time, ns since the Unix epoch.
    pub log_time: u64,
}

/// Names a sink of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SinkId(pub(super) u64);

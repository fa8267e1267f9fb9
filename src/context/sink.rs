//! The consumer's side of a context.

use std::cell::OnceCell;

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

    /// Whether this output makes a copy of the payload that others can have ([`Message::share`]): then it is called before
    /// them.
    fn shares_copy(&self) -> bool {
        false
    }

    /// One picture of a [`VideoSource`](super::VideoSource). `message` makes the message that stands for it; a consumer that
    /// takes pictures as they are does not call it.
    fn picture(&self, image: &VideoImage<'_>, log_time: u64, message: &mut dyn FnMut() -> Bytes) {
        let _ = image;
        self.log(Message::new(&message(), log_time));
    }
}

/// One logged message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The bytes as logged.
    pub payload: &'a [u8],
    /// Log time, ns since the Unix epoch.
    pub log_time: u64,
    copy: Option<&'a PayloadCopy>,
}

/// The copy of a payload that the outputs of one channel share, however many they are.
#[derive(Debug, Default)]
pub struct PayloadCopy(OnceCell<Bytes>);

impl<'a> Message<'a> {
    /// A message for a single output.
    pub fn new(payload: &'a [u8], log_time: u64) -> Self {
        Self { payload, log_time, copy: None }
    }

    /// A message for several outputs.
    pub fn with_copy(payload: &'a [u8], log_time: u64, copy: &'a PayloadCopy) -> Self {
        Self { payload, log_time, copy: Some(copy) }
    }

    /// The payload, to be kept: copied, unless another output has done so already.
    pub fn to_bytes(&self) -> Bytes {
        let make = || Bytes::copy_from_slice(self.payload);
        self.copy.map_or_else(make, |copy| copy.0.get_or_init(make).clone())
    }

    /// Whether somebody may want the copy that this output makes.
    pub fn wants_share(&self) -> bool {
        self.copy.is_some_and(|copy| copy.0.get().is_none())
    }

    /// Offers a copy that this output has made for itself; it must equal the payload.
    pub fn share(&self, bytes: Bytes) {
        debug_assert_eq!(bytes.len(), self.payload.len());
        if let Some(copy) = self.copy {
            // Of two copies the first counts.
            let _ = copy.0.set(bytes);
        }
    }
}

/// Names a sink of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SinkId(pub(super) u64);

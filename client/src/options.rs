//! Options of a viewer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telelink::room::Identity;

use crate::state::Limits;

/// Options of a [`Viewer`](crate::Viewer). The protocol version is not among them: it is an attribute in the token (P-9).
#[derive(Clone)]
pub struct ViewerOptions {
    /// The robot. `None` (default): whoever opens a control stream first, until it leaves.
    pub robot: Option<Identity>,
    /// Messages that wait for [`Viewer::next_message`](crate::Viewer::next_message). Default 65,536.
    pub message_limit: usize,
    /// Bytes of messages that wait. Default 256 MiB.
    pub message_bytes: usize,
    /// What happens when either limit is met. Default [`Overflow::DropOldest`].
    pub overflow: Overflow,
    /// Events that wait for [`Viewer::next_event`](crate::Viewer::next_event). Default 8,192; at most 64 MiB of messages in them.
    pub event_limit: usize,
    /// Bytes that wait to be written to the robot. Default 32 MiB.
    pub outbox_bytes: usize,
    /// Frames of one data track that wait for the viewer, 1 to 4096. Default 1,024.
    pub track_buffer: usize,
    /// Whether a new session (P-27) gets the subscriptions, client channels, parameter and graph subscriptions of the old one.
    /// Default true.
    pub restore: bool,
    /// Bounds of what the robot may make the viewer remember.
    pub limits: Limits,
    /// Wall clock, ns since the Unix epoch, for latencies. Default: the system's.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Default for ViewerOptions {
    fn default() -> Self {
        Self {
            robot: None,
            message_limit: 65_536,
            message_bytes: 256 << 20,
            overflow: Overflow::DropOldest,
            event_limit: 8_192,
            outbox_bytes: 32 << 20,
            track_buffer: 1_024,
            restore: true,
            limits: Limits::default(),
            clock: Arc::new(system_clock),
        }
    }
}

impl fmt::Debug for ViewerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewerOptions")
            .field("robot", &self.robot)
            .field("message_limit", &self.message_limit)
            .field("message_bytes", &self.message_bytes)
            .field("overflow", &self.overflow)
            .field("event_limit", &self.event_limit)
            .field("outbox_bytes", &self.outbox_bytes)
            .field("track_buffer", &self.track_buffer)
            .field("restore", &self.restore)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn system_clock() -> u64 {
    // A clock before 1970 gives latencies of 0, not a failure.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos() as u64
}

/// What happens to a message when the queue of messages is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest waiting message is dropped and counted in [`Totals::messages_dropped`](crate::Totals).
    #[default]
    DropOldest,
    /// The stream or track is not read on until there is room. A reader that stays behind then meets the limits of the room:
    /// the control stream breaks, frames of tracks are dropped there.
    Wait,
}

/// Which channels a subscription means. It stays in force: channels that match later are subscribed when they are advertised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// The channel of this id.
    Id(u64),
    /// All channels of this topic.
    Topic(String),
    /// All channels.
    All,
}

impl Selector {
    pub(crate) fn matches(&self, id: u64, topic: &str) -> bool {
        match self {
            Self::Id(wanted) => *wanted == id,
            Self::Topic(wanted) => wanted == topic,
            Self::All => true,
        }
    }
}

impl From<u64> for Selector {
    fn from(id: u64) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Selector {
    fn from(topic: &str) -> Self {
        Self::Topic(topic.to_owned())
    }
}

impl From<String> for Selector {
    fn from(topic: String) -> Self {
        Self::Topic(topic)
    }
}

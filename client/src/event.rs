//! What a viewer hands out: messages of channels, and events of everything else.

use std::sync::Arc;

use bytes::Bytes;
use telelink::protocol::{FrameError, ToViewer};
use telelink::room::{DisconnectReason, Identity, RoomError};
use tokio::time::Instant;

use crate::state::Problem;

/// A message of a channel of the robot.
#[derive(Debug, Clone)]
pub struct Message {
    /// Device channel id.
    pub channel_id: u64,
    /// Topic of the channel when the message came.
    pub topic: Arc<str>,
    /// When the robot logged it, ns since the Unix epoch. 0 if the transport did not say (P-154).
    pub log_time: u64,
    /// When this viewer received it, ns since the Unix epoch, by the viewer's clock ([`ViewerOptions::clock`](crate::ViewerOptions)).
    pub receive_time: u64,
    /// The same moment on tokio's clock.
    pub received_at: Instant,
    /// Message bytes.
    pub payload: Bytes,
    /// The path it came by.
    pub via: Via,
}

/// The path of a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The control stream: a Reliable channel (P-130).
    Control,
    /// A data track: a Lossy channel (P-151).
    Track {
        /// Sequence number of the frame (P-155).
        sequence: u32,
    },
}

/// Everything that happens to a viewer except messages of channels, in order.
///
/// The queue of events is bounded ([`ViewerOptions::event_limit`](crate::ViewerOptions)); the oldest are dropped and counted in
/// [`Totals::events_dropped`](crate::Totals).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The robot opened a control stream. All that was known of it is forgotten (P-27).
    StreamOpened {
        /// Who the viewer takes for the robot.
        robot: Identity,
    },
    /// A control message came, in the order of the stream. Channel data and answers that somebody waited for are not reported.
    Control(Arc<ToViewer>),
    /// A message that cannot be, or contradicts an earlier one. The stream goes on.
    Problem(Problem),
    /// A frame that is no message (P-39 to P-45). The stream goes on.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A frame of a data track that is none (P-153).
    MalformedTrackFrame {
        /// The channel of the track.
        channel_id: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The robot's stream cannot be read any further (P-52). The session is over until the robot opens another.
    Unreadable(FrameError),
    /// The robot's control stream ended; `error` is `None` for an orderly end. The session is over until it opens another.
    StreamEnded {
        /// How it broke.
        error: Option<RoomError>,
        /// Whether it ended inside a frame (P-35).
        mid_frame: bool,
    },
    /// The robot left the room.
    RobotLeft,
    /// The stream to the robot broke. What is sent from now on is lost until the next session.
    WriterFailed(RoomError),
    /// The data track of a channel could not be subscribed, for now.
    TrackFailed {
        /// The channel of the track.
        channel_id: u64,
        /// Why.
        error: RoomError,
    },
    /// The data track of a channel is read from now on.
    TrackAttached {
        /// The channel of the track.
        channel_id: u64,
    },
    /// The transport lost its link and tries to get it back.
    Reconnecting,
    /// The transport has its link back; after a full reconnect the session is a new one.
    Reconnected {
        /// Everything that was open is void.
        full: bool,
    },
    /// The room is lost. Last event.
    Disconnected(DisconnectReason),
}

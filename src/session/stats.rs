//! Statistics: the snapshot for the application and the line in the log every 30 s (S-259, S-260).

use std::time::Duration;

use crate::fanout::{DropCounts, QueueStats, VideoCounts};
use crate::room::{ConnectionQuality, RoomStats, VideoTrackStats};

use super::{Client, ConnectionStatus, Error};

/// Period of the line, and time to the first one (S-259).
pub(crate) const PERIOD: Duration = Duration::from_secs(30);

/// What a session measures, at one moment; `room` and `ice_rtt` alone are older, by 30 s at most.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionStats {
    /// State of the connection.
    pub status: ConnectionStatus,
    /// The last failure of the connection, also one that is over (S-14).
    pub last_error: Option<Error>,
    /// Time since the session was started.
    pub uptime: Duration,
    /// Rooms entered so far; the first join counts.
    pub joins: u64,
    /// Times that the transport lost its link and got it back without leaving the room.
    pub reconnects: u64,
    /// The transport has lost its link and tries to get it back; `status` is `Connected` meanwhile (S-27). A link that is
    /// dead without a word counts from when that is noticed.
    pub reconnecting: bool,
    /// Subscriptions of all viewers.
    pub subscriptions: usize,
    /// Bytes waiting for all viewers.
    pub backlog_bytes: usize,
    /// Mean round trip of viewers' pings, ms.
    pub ping_rtt_ms: Option<f64>,
    /// The room's own measurements, taken at most 30 s ago. `None` before the first.
    pub room: Option<RoomStats>,
    /// Round trips of the ICE candidate pair, one sample every 30 s.
    pub ice_rtt: Option<RttStats>,
    /// Connection quality as LiveKit judges it.
    pub quality: Option<ConnectionQuality>,
    /// Viewer messages dropped because the listener was too slow.
    pub listener_messages_dropped: u64,
    /// Viewer messages discarded while they waited for the listener: the control under which they were sent was lost, or
    /// the session ended.
    pub listener_messages_discarded: u64,
    /// Panics that were stopped: of the application's callbacks, and of the library's own tasks and threads, those of
    /// the room among them.
    pub callback_panics: u64,
    /// Viewers that were reset because they were too slow: their queue overflowed (S-115).
    pub overflow_resets: u64,
    /// Viewers that were reset because their stream broke or stood still (S-115, S-116).
    pub write_failure_resets: u64,
    /// Each registered viewer.
    pub viewers: Vec<ViewerStats>,
    /// Each advertised channel that had subscribers since it was created.
    pub channels: Vec<ChannelStats>,
    /// Together, the channels that are closed by now.
    pub closed_channels: DropCounts,
}

impl SessionStats {
    /// Messages and drops of all channels since the session was started.
    pub fn totals(&self) -> DropCounts {
        let mut totals = self.closed_channels;
        self.channels.iter().for_each(|channel| totals += channel.counts);
        totals
    }

    /// Viewers that had to be reset, for whatever cause.
    pub fn viewer_resets(&self) -> u64 {
        self.overflow_resets + self.write_failure_resets
    }
}

/// One viewer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ViewerStats {
    /// Who.
    pub client: Client,
    /// Its queue.
    pub queue: QueueStats,
    /// Latest, mean and standard deviation of its ping round trips, ms. `None` before the first two.
    pub ping_rtt_ms: Option<RttStats>,
    /// Channels it is subscribed to, as data or video.
    pub subscriptions: usize,
    /// Times that this connection had to be reset so far: it was too slow, or its stream broke.
    pub resets: u64,
}

/// Round trips, ms (S-257).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RttStats {
    /// Latest sample.
    pub latest: f64,
    /// Moving average, smoothing factor 0.3, without the first sample.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// One channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Channel id.
    pub id: u64,
    /// Topic.
    pub topic: String,
    /// Messages by path and drops by cause.
    pub counts: DropCounts,
    /// Viewers subscribed to its messages.
    pub data_subscribers: usize,
    /// Viewers subscribed to its video.
    pub video_subscribers: usize,
    /// Its video. `None` if nobody has watched it.
    pub video: Option<VideoStats>,
}

/// The video of one channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VideoStats {
    /// Somebody watches now.
    pub active: bool,
    /// Pictures, and drops by cause, since the session started.
    pub counts: VideoCounts,
    /// What the encoder does, measured at most 5 s ago. `None` while nobody watches and in the first second.
    pub encoder: Option<VideoTrackStats>,
}

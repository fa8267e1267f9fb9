//! Plain values of the port: ids, participants, events, errors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ByteReader;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// Participant identity: stays the same when the same viewer disconnects and returns. Cheap to clone.
    Identity
);
id!(
    /// Id of one physical connection (or track): new for each, never reused. Cheap to clone.
    Sid
);

/// Text that must not be printed: an access token. `Debug` and `Display` show no part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a join needs.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// `ws://` or `wss://` address of the LiveKit server (`http`/`https` are accepted too).
    pub url: String,
    /// Access token: names the room and the own identity.
    pub token: Secret,
    /// Options.
    pub options: RoomOptions,
}

/// Room options of the adapters. Automatic subscription to media is always off (S-22).
#[derive(Debug, Clone)]
pub struct RoomOptions {
    /// ICE servers to use instead of those the server names. Literal IP addresses here keep a closed network from
    /// spawning name-resolution threads (livekit-ffi.md section 7). Empty: the server's own.
    pub ice_servers: Vec<IceServer>,
    /// Bound of one connect attempt. Default 5 s.
    pub connect_timeout: Duration,
    /// Counts what panicked in the adapter and was stopped there; it outlives the room. Default a counter of its own.
    pub panics: Arc<AtomicU64>,
}

impl Default for RoomOptions {
    fn default() -> Self {
        Self { ice_servers: Vec::new(), connect_timeout: Duration::from_secs(5), panics: Arc::default() }
    }
}

/// One STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` and `turns:` URLs, at least one.
    pub urls: Vec<String>,
    /// TURN user name; a TURN server needs one.
    pub username: Option<String>,
    /// TURN password; a TURN server needs one.
    pub password: Option<Secret>,
}

/// One connection of somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub identity: Identity,
    /// Which connection of them.
    pub sid: Sid,
    /// Display name, may be empty.
    pub name: String,
    /// What kind of participant.
    pub kind: ParticipantKind,
    /// Join time given by the server, milliseconds since the Unix epoch.
    pub joined_at_ms: i64,
    /// LiveKit participant attributes.
    pub attributes: BTreeMap<String, String>,
    /// Active: the data path to it is up. Not active: announced only.
    pub active: bool,
}

/// Participant kinds of LiveKit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParticipantKind {
    /// A person or program that joined with an ordinary token.
    #[default]
    Standard,
    /// Any of the server's own kinds: ingress, egress, SIP, agent, connector, bridge.
    Service,
}

/// A data track of a remote participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDataTrack {
    /// Track SID; changes when the publisher reconnects fully.
    pub sid: Sid,
    /// Track name.
    pub name: String,
    /// Who publishes it.
    pub publisher: Identity,
}

/// A video track of a remote participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteVideoTrack {
    /// Track SID.
    pub sid: Sid,
    /// Track name.
    pub name: String,
    /// Who publishes it.
    pub publisher: Identity,
}

/// One data-track frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFrame {
    /// Frame bytes.
    pub payload: Bytes,
    /// LiveKit's user time stamp of the frame: here always the log time, ns since the Unix epoch. 0 when absent.
    pub user_timestamp: u64,
}

/// Why an adapter lost a data-track frame of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// The transport's queue stayed full until a newer frame came.
    TransportFull,
    /// The track is not published (any more).
    NotPublished,
    /// The transport refused the frame for another reason.
    Refused,
}

/// What happens in a room.
pub enum RoomEvent {
    /// Somebody was announced; its data path may not be up yet.
    ParticipantConnected(Participant),
    /// Somebody's data path is up. Comes once per connection, also of one that was announced as active; not for those who
    /// were there, and active, at the join.
    ParticipantActive(Participant),
    /// Attributes, name or SID of somebody changed.
    ParticipantUpdated(Participant),
    /// One connection of somebody ended.
    ParticipantDisconnected {
        /// Who.
        identity: Identity,
        /// Which connection.
        sid: Sid,
    },
    /// A byte stream to us was opened.
    ByteStreamOpened {
        /// Its topic.
        topic: String,
        /// Who opened it. LiveKit may deliver a stream before it announces its sender (livekit-ffi.md 5.1).
        sender: Identity,
        /// The sender's connection, if the room knew it when the stream was opened. When an identity has just come back,
        /// this may still be its previous connection: LiveKit may deliver the stream before it announces the change.
        sender_sid: Option<Sid>,
        /// The bytes. Dropping it refuses the rest of the stream.
        reader: ByteReader,
    },
    /// Somebody published a data track.
    DataTrackPublished(RemoteDataTrack),
    /// A data track of somebody is gone.
    DataTrackUnpublished {
        /// Which.
        sid: Sid,
    },
    /// Somebody published a video track.
    VideoTrackPublished(RemoteVideoTrack),
    /// A video track of somebody is gone.
    VideoTrackUnpublished {
        /// Which.
        sid: Sid,
    },
    /// The server or the library took a data track of ours away; it must be published again (S-276).
    LocalDataTrackLost {
        /// Name of the track.
        name: String,
    },
    /// A video track of ours has a new SID after a full reconnect (S-275). Its [`VideoTrack`](super::VideoTrack) knows.
    LocalVideoTrackRepublished {
        /// Name of the track.
        name: String,
        /// The SID it had.
        previous: Sid,
        /// The SID it has.
        sid: Sid,
    },
    /// The server took a video track of ours away; it must be published again.
    LocalVideoTrackLost {
        /// Name of the track.
        name: String,
        /// The SID it had.
        sid: Sid,
    },
    /// Connection quality of us (`identity` is ours) or somebody else.
    QualityChanged {
        /// Whose.
        identity: Identity,
        /// How good.
        quality: ConnectionQuality,
    },
    /// The transport lost its link and tries to get it back.
    Reconnecting,
    /// The transport has its link back.
    Reconnected {
        /// The own SID changed: every stream that was open is void (S-27).
        full: bool,
    },
    /// The server renewed our token.
    TokenRefreshed(Secret),
    /// The room is lost. Last event.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
    },
}

/// Connection quality as LiveKit judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionQuality {
    /// Poor.
    Poor,
    /// Good.
    Good,
    /// Excellent.
    Excellent,
    /// Lost.
    Lost,
}

/// Why a room ended. Shown as words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// We left.
    ClientInitiated,
    /// The same identity joined elsewhere (S-48).
    DuplicateIdentity,
    /// The server shuts down.
    ServerShutdown,
    /// The server's operator removed us.
    ParticipantRemoved,
    /// The room was deleted or closed.
    RoomDeleted,
    /// The link was lost and could not be brought back.
    ConnectionLost,
    /// Anything else.
    Other,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientInitiated => "it was left",
            Self::DuplicateIdentity => "the same identity joined elsewhere",
            Self::ServerShutdown => "the server shuts down",
            Self::ParticipantRemoved => "the server's operator removed the robot",
            Self::RoomDeleted => "the room was deleted or closed",
            Self::ConnectionLost => "the link could not be brought back",
            Self::Other => "the server gave no reason",
        })
    }
}

/// Room statistics; a field is `None` where the adapter cannot measure it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoomStats {
    /// Current round trip of the nominated ICE candidate pair, milliseconds.
    pub ice_rtt_ms: Option<f64>,
    /// Bytes sent over the publisher transport.
    pub bytes_sent: Option<u64>,
    /// Bytes received over the subscriber transport.
    pub bytes_received: Option<u64>,
    /// Sum of bytes over outbound video RTP streams.
    pub video_bytes_sent: Option<u64>,
    /// Data-track frames handed to the transport and accepted by it.
    pub data_frames_pushed: u64,
    /// Data-track frames the transport refused as "queue full".
    pub data_frames_refused: u64,
    /// Data-track packets the transport says it has sent.
    pub data_packets_sent: Option<u64>,
    /// Current spacing of the pacer between two packets, microseconds.
    pub pacer_spacing_us: Option<u64>,
}

/// What the test hook can do to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// The signal link is lost, media stays: a resume.
    SignalReconnect,
    /// Everything is lost and joined again under a new SID.
    FullReconnect,
    /// The server tells us to leave.
    ServerLeave,
}

/// Why a join failed. The message never contains a token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct JoinError {
    /// What to do about it.
    pub kind: JoinErrorKind,
    /// What happened, for people.
    pub message: String,
}

impl JoinError {
    /// Makes one.
    pub fn new(kind: JoinErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Kinds of [`JoinError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinErrorKind {
    /// The server rejected the token. Trying again with the same one is useless.
    Unauthorized,
    /// The server could not be reached or gave up.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The URL or an option is wrong.
    Invalid,
    /// The LiveKit library is missing, wrong, or in use by somebody else.
    Library,
    /// Anything else.
    Other,
}

/// Why a call on a room failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    /// The room was left or lost.
    #[error("the room is closed")]
    Closed,
    /// No answer in time.
    #[error("{0} did not finish in time")]
    Timeout(&'static str),
    /// A write made no progress for its deadline (S-116).
    #[error("a write made no progress for {0} s")]
    Stalled(u64),
    /// The sender of a byte stream went away in the middle (P-207: routine).
    #[error("the sender of the stream went away")]
    SenderGone,
    /// More bytes of one stream wait for us than its limit.
    #[error("more than {0} bytes of one stream were waiting")]
    Overflow(usize),
    /// The adapter has no such thing.
    #[error("{0} is not supported by this room")]
    Unsupported(&'static str),
    /// No such track.
    #[error("no such track: {0}")]
    NoSuchTrack(String),
    /// The transport refused, with its own words.
    #[error("{0}")]
    Transport(String),
}

/// Why a track could not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The name is still taken by an old track; it is free soon (S-160).
    #[error("the name {0} is still in use")]
    NameInUse(String),
    /// The token does not allow it.
    #[error("publishing is not allowed by the token")]
    NotAllowed,
    /// Anything else.
    #[error(transparent)]
    Room(#[from] RoomError),
}

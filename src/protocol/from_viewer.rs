//! Messages from a viewer to the device (section 6).

use bytes::Bytes;

pub use super::playback::{PlaybackCommand, PlaybackControl};
pub use super::services::ServiceCall;
use super::Parameter;

/// A message from a viewer.
#[derive(Debug, Clone, PartialEq)]
pub enum FromViewer {
    /// Asks for the data or the video of channels (6.1).
    Subscribe {
        /// The channels, may be empty.
        channels: Vec<SubscribeChannel>,
    },
    /// Ends subscriptions, data or video alike (6.2).
    Unsubscribe {
        /// Device channel ids.
        channel_ids: Vec<u64>,
    },
    /// Announces channels the viewer will publish on (6.3).
    Advertise {
        /// The channels.
        channels: Vec<ClientChannel>,
    },
    /// Withdraws channels of the viewer (6.4).
    Unadvertise {
        /// Ids chosen by this viewer.
        channel_ids: Vec<u32>,
    },
    /// A message on a channel of the viewer (6.5).
    MessageData {
        /// Id chosen by this viewer.
        channel_id: u32,
        /// Message bytes, may be empty.
        data: Bytes,
    },
    /// Calls a service (6.6).
    ServiceCallRequest(ServiceCall),
    /// Playback control, which a remote access device ignores (6.7, P-92).
    PlaybackControl(PlaybackControl),
    /// Asks for a pong (6.8).
    Ping {
        /// Opaque to the device; by convention u64 LE milliseconds since the Unix epoch.
        app_timestamp: [u8; 8],
    },
    /// Answers a pong (6.9).
    PingAck {
        /// The device timestamp of the pong, milliseconds since the Unix epoch.
        device_timestamp_ms: u64,
    },
    /// Asks for parameter values (6.10).
    GetParameters {
        /// Names; empty means all.
        names: Vec<String>,
        /// Echoed in the answer.
        id: Option<String>,
    },
    /// Sets or, without a value, unsets parameters (6.11).
    SetParameters {
        /// The parameters.
        parameters: Vec<Parameter>,
        /// Echoed in the answer; without it there is no answer.
        id: Option<String>,
    },
    /// Asks to be told of changes of parameters (6.12).
    SubscribeParameterUpdates {
        /// Exact names.
        names: Vec<String>,
    },
    /// Ends such subscriptions (6.12).
    UnsubscribeParameterUpdates {
        /// Exact names.
        names: Vec<String>,
    },
    /// Asks for the connection graph and its changes (6.13).
    SubscribeConnectionGraph,
    /// Ends that (6.13).
    UnsubscribeConnectionGraph,
    /// Asks for an asset (6.14).
    FetchAsset {
        /// Chosen by the viewer, echoed in the answer.
        request_id: u32,
        /// Passed through untouched (P-111).
        uri: String,
    },
}

/// One entry of `subscribe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribeChannel {
    /// Device channel id.
    pub id: u64,
    /// Video instead of data.
    pub request_video_track: bool,
}

/// One channel a viewer announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChannel {
    /// Chosen by the viewer; its scope is that viewer's connection.
    pub id: u32,
    /// Topic, need not be unique (P-83).
    pub topic: String,
    /// Message encoding.
    pub encoding: String,
    /// Schema name, may be empty.
    pub schema_name: String,
    /// Schema encoding.
    pub schema_encoding: Option<String>,
    /// Schema data as text; base64 for the binary encodings (P-62).
    pub schema: Option<String>,
}

/// The schema of a [`ClientChannel`] as an application gets it (P-81).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSchema {
    /// Schema name.
    pub name: String,
    /// Schema encoding, `""` if the viewer gave none.
    pub encoding: String,
    /// Decoded schema data, may be empty.
    pub data: Bytes,
}

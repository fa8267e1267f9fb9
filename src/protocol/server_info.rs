//! `serverInfo` (7.1), the first frame of every control stream of the device (P-112).

use std::collections::BTreeMap;

/// Who the device is and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// Name of the device, may be empty.
    pub name: String,
    /// What the device supports, in order of configuration (P-66).
    pub capabilities: Vec<Capability>,
    /// Encodings accepted for client publish and for services without a request schema. Left out of the message when empty.
    pub supported_encodings: Vec<String>,
    /// Free metadata; a device always sets [`LIBRARY_METADATA_KEY`] (P-113). Left out of the message when empty.
    pub metadata: BTreeMap<String, String>,
    /// Session id, informative; a remote access device always sends it, `""` if it has none (P-197).
    pub session_id: Option<String>,
    /// Start of the data range; never sent by a remote access device.
    pub data_start_time: Option<Timestamp>,
    /// End of the data range; never sent by a remote access device.
    pub data_end_time: Option<Timestamp>,
}

/// Metadata key under which the library names itself and its version (P-113).
pub const LIBRARY_METADATA_KEY: &str = "fg-library";

/// Something a device supports (section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Viewers may advertise channels and publish on them.
    ClientPublish,
    /// Viewers may get and set parameters.
    Parameters,
    /// Viewers may subscribe to parameter changes; always together with [`Capability::Parameters`] (P-66).
    ParametersSubscribe,
    /// Viewers may call services.
    Services,
    /// Viewers may fetch assets.
    Assets,
    /// Viewers may subscribe to the connection graph.
    ConnectionGraph,
    /// The server sends `Time`; never declared by a remote access device.
    Time,
    /// Playback requests are understood; never declared by a remote access device.
    PlaybackControl,
}

/// A point in time as JSON carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    pub sec: u32,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

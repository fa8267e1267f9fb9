//! `serverInfo` (7.1), the first frame of every control stream of the device (P-112).

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{DecodeError, EncodeError};
use super::json;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    pub sec: u32,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

impl Capability {
    /// All there are; the device must not invent others (P-68).
    pub const ALL: [Self; 8] = [
        Self::ClientPublish,
        Self::Parameters,
        Self::ParametersSubscribe,
        Self::Services,
        Self::Assets,
        Self::ConnectionGraph,
        Self::Time,
        Self::PlaybackControl,
    ];

    /// The string on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientPublish => "clientPublish",
            Self::Parameters => "parameters",
            Self::ParametersSubscribe => "parametersSubscribe",
            Self::Services => "services",
            Self::Assets => "assets",
            Self::ConnectionGraph => "connectionGraph",
            Self::Time => "time",
            Self::PlaybackControl => "playbackControl",
        }
    }

    /// The capability of that string on the wire.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == text)
    }
}

pub(super) const OP: &str = "serverInfo";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out<'a> {
    name: &'a str,
    capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    supported_encodings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_start_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_end_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct In<'a> {
    name: String,
    #[serde(deserialize_with = "json::list")]
    capabilities: Cow<'a, [String]>,
    #[serde(default, deserialize_with = "json::opt_list")]
    supported_encodings: Vec<String>,
    #[serde(default, deserialize_with = "json::opt_string_map")]
    metadata: BTreeMap<String, String>,
    session_id: Option<String>,
    #[serde(default, deserialize_with = "json::opt_object")]
    data_start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "json::opt_object")]
    data_end_time: Option<Timestamp>,
}

impl ServerInfo {
    pub(super) fn to_frame(&self) -> Result<Bytes, EncodeError> {
        json::check_len("capabilities", &self.capabilities)?;
        json::check_len("supportedEncodings", &self.supported_encodings)?;
        json::check_map("metadata", &self.metadata)?;
        json::frame(
            OP,
            &Out {
                name: &self.name,
                capabilities: self.capabilities.iter().map(|capability| capability.as_str()).collect(),
                supported_encodings: &self.supported_encodings,
                metadata: &self.metadata,
                session_id: self.session_id.as_deref(),
                data_start_time: self.data_start_time,
                data_end_time: self.data_end_time,
            },
        )
    }

    /// Capabilities this version does not know are left out: a viewer loses nothing by them, and can still use the rest (P-68).
    pub(super) fn decode(text: &str) -> Result<Self, DecodeError> {
        let info: In<'_> = json::parse(OP, text)?;
        Ok(Self {
            name: info.name,
            capabilities: info.capabilities.iter().filter_map(|text| Capability::from_wire(text)).collect(),
            supported_encodings: info.supported_encodings,
            metadata: info.metadata,
            session_id: info.session_id,
            data_start_time: info.data_start_time,
            data_end_time: info.data_end_time,
        })
    }
}

//! Messages from the device to a viewer (section 7).

use bytes::Bytes;

pub use super::advertise::{Advertise, AdvertisedSchema, ChannelAdvertisement, InlineSchema, SchemaEntry};
pub use super::graph::{ConnectionGraphUpdate, GraphEntry};
pub use super::playback::{PlaybackState, PlaybackStatus};
pub use super::server_info::{Capability, ServerInfo, Timestamp};
pub use super::services::{MessageSchema, ServiceAdvertisement, ServiceCall};
use super::error::EncodeError;
use super::frame::{begin_frame, FrameKind};
use super::Parameter;

/// A message from the device.
#[derive(Debug, Clone, PartialEq)]
pub enum ToViewer {
    /// Who the device is; the first frame of every stream (7.1).
    ServerInfo(ServerInfo),
    /// A notice for the user (7.2).
    Status(Status),
    /// Takes notices back (7.3).
    RemoveStatus {
        /// Ids of earlier statuses; unknown ones are to be ignored (P-122).
        status_ids: Vec<String>,
    },
    /// Announces channels (7.4).
    Advertise(Advertise),
    /// Withdraws channels (7.5).
    Unadvertise {
        /// Device channel ids.
        channel_ids: Vec<u64>,
    },
    /// A message of a Reliable channel (7.6). [`message_data_frame`] builds the same frame without this value.
    MessageData {
        /// Device channel id.
        channel_id: u64,
        /// ns since the Unix epoch.
        log_time: u64,
        /// Message bytes, may be empty.
        data: Bytes,
    },
    /// Server time; never sent by a remote access device (7.7).
    Time {
        /// ns since the Unix epoch.
        timestamp: u64,
    },
    /// Answers a service call (7.8).
    ServiceCallResponse(ServiceCall),
    /// Answers an asset request (7.9).
    FetchAssetResponse(FetchAssetResponse),
    /// Playback state; never sent by a remote access device (7.10).
    PlaybackState(PlaybackState),
    /// Answers a ping (7.11).
    Pong {
        /// The first 8 body bytes of the ping, verbatim.
        app_timestamp: [u8; 8],
        /// Device time, milliseconds since the Unix epoch.
        device_timestamp_ms: u64,
    },
    /// Parameter values, as an answer or as an update (7.12).
    ParameterValues {
        /// The parameters; unset ones are left out when written (P-140).
        parameters: Vec<Parameter>,
        /// Id of the request this answers.
        id: Option<String>,
    },
    /// Announces services (7.13).
    AdvertiseServices {
        /// The services. A device never sends an empty list.
        services: Vec<ServiceAdvertisement>,
    },
    /// Withdraws services (7.14).
    UnadvertiseServices {
        /// Service ids.
        service_ids: Vec<u32>,
    },
    /// Answers a service call that failed (7.15).
    ServiceCallFailure {
        /// Service id of the request.
        service_id: u32,
        /// Call id of the request.
        call_id: u32,
        /// Text for the user.
        message: String,
    },
    /// Changes of the connection graph (7.16).
    ConnectionGraphUpdate(ConnectionGraphUpdate),
}

/// A notice for the user of the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Severity.
    pub level: StatusLevel,
    /// Text for the user.
    pub message: String,
    /// A later status with the same id replaces this one (P-116); answers to a request have none (P-115).
    pub id: Option<String>,
}

/// Severity of a [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum StatusLevel {
    /// For information.
    Info = 0,
    /// Something is not as it should be.
    Warning = 1,
    /// Something failed.
    Error = 2,
}

/// Answer to an asset request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchAssetResponse {
    /// Id of the request.
    pub request_id: u32,
    /// The asset's bytes (may be empty), or the text of the error.
    pub result: Result<Bytes, String>,
}

const OP_MESSAGE_DATA: u8 = 1;

/// The whole frame of a [`ToViewer::MessageData`]: one allocation, one copy of `data`. The hot path of Reliable channels (7.6).
///
/// # Errors
///
/// [`EncodeError::TooLarge`] if `data` is longer than 16 MiB − 17 bytes (P-133).
pub fn message_data_frame(channel_id: u64, log_time: u64, data: &[u8]) -> Result<Bytes, EncodeError> {
    let mut frame = begin_frame(FrameKind::Binary, 17 + data.len())?;
    frame.push(OP_MESSAGE_DATA);
    frame.extend_from_slice(&channel_id.to_le_bytes());
    frame.extend_from_slice(&log_time.to_le_bytes());
    frame.extend_from_slice(data);
    Ok(Bytes::from(frame))
}

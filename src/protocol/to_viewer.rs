//! Messages from the device to a viewer (section 7).

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

use super::advertise;
pub use super::advertise::{Advertise, AdvertisedSchema, ChannelAdvertisement, InlineSchema, SchemaEntry};
use super::cursor::Cursor;
use super::error::{DecodeError, EncodeError};
use super::frame::{begin_frame, eight_byte_frame, Frame, FrameKind, MAX_PAYLOAD};
use super::graph;
pub use super::graph::{ConnectionGraphUpdate, GraphEntry};
use super::json::{self, ChannelIds, ParametersIn};
pub use super::playback::{PlaybackState, PlaybackStatus};
use super::server_info;
pub use super::server_info::{Capability, ServerInfo, Timestamp};
use super::services;
pub use super::services::{MessageSchema, ServiceAdvertisement, ServiceCall};
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

mod op {
    pub(super) const STATUS: &str = "status";
    pub(super) const REMOVE_STATUS: &str = "removeStatus";
    pub(super) const UNADVERTISE: &str = "unadvertise";
    pub(super) const PARAMETER_VALUES: &str = "parameterValues";
    pub(super) const UNADVERTISE_SERVICES: &str = "unadvertiseServices";
    pub(super) const SERVICE_CALL_FAILURE: &str = "serviceCallFailure";
}

mod opcode {
    pub(super) const MESSAGE_DATA: u8 = 1;
    pub(super) const TIME: u8 = 2;
    pub(super) const SERVICE_CALL_RESPONSE: u8 = 3;
    pub(super) const FETCH_ASSET_RESPONSE: u8 = 4;
    pub(super) const PLAYBACK_STATE: u8 = 5;
    pub(super) const PONG: u8 = 6;
}

#[derive(Serialize, Deserialize)]
struct StatusWire<'a> {
    level: u8,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveStatus<'a> {
    #[serde(deserialize_with = "json::list")]
    status_ids: Cow<'a, [String]>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnadvertiseServices<'a> {
    #[serde(deserialize_with = "json::list")]
    service_ids: Cow<'a, [u32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceCallFailure<'a> {
    service_id: u32,
    call_id: u32,
    message: Cow<'a, str>,
}

impl ToViewer {
    /// Reads a frame that a device sent. Data and payloads are slices of it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the stream remains readable.
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        match frame.kind {
            FrameKind::Text => Self::decode_text(&frame.payload),
            FrameKind::Binary => Self::decode_binary(frame.payload.clone()),
        }
    }

    fn decode_text(payload: &[u8]) -> Result<Self, DecodeError> {
        let (text, op) = json::find_op(payload)?;
        Ok(match &*op {
            server_info::OP => Self::ServerInfo(ServerInfo::decode(text)?),
            op::STATUS => Self::Status(Status::decode(text)?),
            op::REMOVE_STATUS => {
                let message: RemoveStatus<'_> = json::parse(op::REMOVE_STATUS, text)?;
                Self::RemoveStatus { status_ids: message.status_ids.into_owned() }
            }
            advertise::OP => Self::Advertise(Advertise::decode(text)?),
            op::UNADVERTISE => {
                let message: ChannelIds<'_, _> = json::parse(op::UNADVERTISE, text)?;
                Self::Unadvertise { channel_ids: message.channel_ids.into_owned() }
            }
            op::PARAMETER_VALUES => {
                let message: ParametersIn<'_> = json::parse(op::PARAMETER_VALUES, text)?;
                Self::ParameterValues { parameters: message.parameters.into_owned(), id: message.id }
            }
            services::OP => Self::AdvertiseServices { services: services::decode_advertise(text)? },
            op::UNADVERTISE_SERVICES => {
                let message: UnadvertiseServices<'_> = json::parse(op::UNADVERTISE_SERVICES, text)?;
                Self::UnadvertiseServices { service_ids: message.service_ids.into_owned() }
            }
            op::SERVICE_CALL_FAILURE => {
                let failure: ServiceCallFailure<'_> = json::parse(op::SERVICE_CALL_FAILURE, text)?;
                Self::ServiceCallFailure {
                    service_id: failure.service_id,
                    call_id: failure.call_id,
                    message: failure.message.into_owned(),
                }
            }
            graph::OP => Self::ConnectionGraphUpdate(ConnectionGraphUpdate::decode(text)?),
            other => return Err(json::unknown_op(other)),
        })
    }

    fn decode_binary(mut payload: Bytes) -> Result<Self, DecodeError> {
        if payload.is_empty() {
            return Err(DecodeError::EmptyBinary);
        }
        let opcode = payload.get_u8();
        Ok(match opcode {
            opcode::MESSAGE_DATA => {
                let mut cursor = Cursor::new("messageData", payload);
                let channel_id = cursor.u64("channel id")?;
                let log_time = cursor.u64("log time")?;
                Self::MessageData { channel_id, log_time, data: cursor.rest() }
            }
            opcode::TIME => Self::Time { timestamp: Cursor::new("time", payload).u64("timestamp")? },
            opcode::SERVICE_CALL_RESPONSE => {
                Self::ServiceCallResponse(ServiceCall::decode("serviceCallResponse", payload)?)
            }
            opcode::FETCH_ASSET_RESPONSE => Self::FetchAssetResponse(FetchAssetResponse::decode(payload)?),
            opcode::PLAYBACK_STATE => Self::PlaybackState(PlaybackState::decode(payload)?),
            opcode::PONG => {
                let mut cursor = Cursor::new("pong", payload);
                let app_timestamp = cursor.eight_bytes("app timestamp")?;
                Self::Pong { app_timestamp, device_timestamp_ms: cursor.u64("device timestamp")? }
            }
            opcode => return Err(DecodeError::UnknownOpcode { opcode }),
        })
    }

    /// The whole frame, header included. What a device writes to a viewer's control stream.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the message is too large, a parameter has no wire form, or a schema id is 0.
    pub fn to_frame(&self) -> Result<Bytes, EncodeError> {
        match self {
            Self::ServerInfo(info) => info.to_frame(),
            Self::Status(status) => status.to_frame(),
            Self::RemoveStatus { status_ids } => {
                json::check_len("statusIds", status_ids)?;
                json::frame(op::REMOVE_STATUS, &RemoveStatus { status_ids: Cow::Borrowed(status_ids) })
            }
            Self::Advertise(advertise) => advertise.to_frame(),
            Self::Unadvertise { channel_ids } => {
                json::check_len("channelIds", channel_ids)?;
                json::frame(op::UNADVERTISE, &ChannelIds { channel_ids: Cow::Borrowed(channel_ids) })
            }
            Self::MessageData { channel_id, log_time, data } => message_data_frame(*channel_id, *log_time, data),
            Self::Time { timestamp } => eight_byte_frame(opcode::TIME, timestamp.to_le_bytes()),
            Self::ServiceCallResponse(call) => call.to_frame(opcode::SERVICE_CALL_RESPONSE),
            Self::FetchAssetResponse(response) => response.to_frame(),
            Self::PlaybackState(state) => state.to_frame(opcode::PLAYBACK_STATE),
            Self::Pong { app_timestamp, device_timestamp_ms } => {
                let mut frame = begin_frame(FrameKind::Binary, 17)?;
                frame.push(opcode::PONG);
                frame.extend_from_slice(app_timestamp);
                frame.extend_from_slice(&device_timestamp_ms.to_le_bytes());
                Ok(Bytes::from(frame))
            }
            Self::ParameterValues { parameters, id } => {
                let set = parameters.iter().filter(|parameter| parameter.value.is_some());
                json::parameters_frame(op::PARAMETER_VALUES, set, id.as_deref())
            }
            Self::AdvertiseServices { services } => services::advertise_frame(services),
            Self::UnadvertiseServices { service_ids } => {
                json::check_len("serviceIds", service_ids)?;
                json::frame(op::UNADVERTISE_SERVICES, &UnadvertiseServices { service_ids: Cow::Borrowed(service_ids) })
            }
            Self::ServiceCallFailure { service_id, call_id, message } => {
                let (service_id, call_id) = (*service_id, *call_id);
                let failure = ServiceCallFailure { service_id, call_id, message: Cow::Borrowed(message) };
                json::frame(op::SERVICE_CALL_FAILURE, &failure)
            }
            Self::ConnectionGraphUpdate(update) => update.to_frame(),
        }
    }
}

/// Opcode, channel id and log time before the message.
const MESSAGE_DATA_HEADER: usize = 17;

/// Largest message that [`message_data_frame`] takes, bytes (P-133).
pub const MAX_MESSAGE_DATA: usize = MAX_PAYLOAD - MESSAGE_DATA_HEADER;

/// The whole frame of a [`ToViewer::MessageData`]: one allocation, one copy of `data`. The hot path of Reliable channels (7.6).
///
/// # Errors
///
/// [`EncodeError::TooLarge`] if `data` is longer than [`MAX_MESSAGE_DATA`].
pub fn message_data_frame(channel_id: u64, log_time: u64, data: &[u8]) -> Result<Bytes, EncodeError> {
    let mut frame = begin_frame(FrameKind::Binary, MESSAGE_DATA_HEADER + data.len())?;
    frame.push(opcode::MESSAGE_DATA);
    frame.extend_from_slice(&channel_id.to_le_bytes());
    frame.extend_from_slice(&log_time.to_le_bytes());
    frame.extend_from_slice(data);
    Ok(Bytes::from(frame))
}

impl Status {
    fn decode(text: &str) -> Result<Self, DecodeError> {
        let status: StatusWire<'_> = json::parse(op::STATUS, text)?;
        let level = match status.level {
            0 => StatusLevel::Info,
            1 => StatusLevel::Warning,
            2 => StatusLevel::Error,
            other => {
                return Err(DecodeError::InvalidMessage { op: op::STATUS, detail: format!("invalid level {other}") })
            }
        };
        Ok(Self { level, message: status.message.into_owned(), id: status.id.map(Cow::into_owned) })
    }

    fn to_frame(&self) -> Result<Bytes, EncodeError> {
        let id = self.id.as_deref().map(Cow::Borrowed);
        json::frame(op::STATUS, &StatusWire { level: self.level as u8, message: Cow::Borrowed(&self.message), id })
    }
}

impl FetchAssetResponse {
    const SUCCESS: u8 = 0;
    const ERROR: u8 = 1;

    /// On success an error text is skipped, on error what follows it is (P-136).
    fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new("fetchAssetResponse", body);
        let request_id = cursor.u32("request id")?;
        let result = match cursor.u8("status")? {
            Self::SUCCESS => {
                cursor.counted("error message")?;
                Ok(cursor.rest())
            }
            Self::ERROR => Err(cursor.string("error message")?),
            other => return Err(cursor.invalid("status", other)),
        };
        Ok(Self { request_id, result })
    }

    fn to_frame(&self) -> Result<Bytes, EncodeError> {
        let (status, error, data) = match &self.result {
            Ok(data) => (Self::SUCCESS, "", &data[..]),
            Err(error) => (Self::ERROR, &error[..], &[][..]),
        };
        let mut frame = begin_frame(FrameKind::Binary, 10 + error.len() + data.len())?;
        frame.push(opcode::FETCH_ASSET_RESPONSE);
        frame.extend_from_slice(&self.request_id.to_le_bytes());
        frame.push(status);
        frame.extend_from_slice(&(error.len() as u32).to_le_bytes());
        frame.extend_from_slice(error.as_bytes());
        frame.extend_from_slice(data);
        Ok(Bytes::from(frame))
    }
}

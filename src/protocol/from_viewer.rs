//! Messages from a viewer to the device (section 6).

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::error::{DecodeError, EncodeError};
use super::frame::{begin_frame, eight_byte_frame, Frame, FrameKind};
use super::json::{self, ChannelIds, Channels, ParametersIn};
pub use super::playback::{PlaybackCommand, PlaybackControl};
use super::schema::{decode_schema_data, SchemaError};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeChannel {
    /// Device channel id.
    pub id: u64,
    /// Video instead of data. Absent means false, but `null` is an error (P-55).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub request_video_track: bool,
}

/// One channel a viewer announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_encoding: Option<String>,
    /// Schema data as text; base64 for the binary encodings (P-62).
    #[serde(skip_serializing_if = "Option::is_none")]
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

impl ClientChannel {
    /// The schema to hand to the application, `None` if the viewer gave none (P-81).
    ///
    /// # Errors
    ///
    /// [`SchemaError::Base64`]; the entry is to be rejected with
    /// [`texts::client_schema_error`](super::texts::client_schema_error).
    pub fn decode_schema(&self) -> Result<Option<ClientSchema>, SchemaError> {
        let name = self.schema_name.clone();
        match (&self.schema_encoding, &self.schema) {
            (Some(encoding), Some(data)) => {
                let data = decode_schema_data(encoding, data)?;
                Ok(Some(ClientSchema { name, encoding: encoding.clone(), data }))
            }
            _ if name.is_empty() => Ok(None),
            (encoding, _) => {
                let encoding = encoding.clone().unwrap_or_default();
                Ok(Some(ClientSchema { name, encoding, data: Bytes::new() }))
            }
        }
    }
}

mod op {
    pub(super) const SUBSCRIBE: &str = "subscribe";
    pub(super) const UNSUBSCRIBE: &str = "unsubscribe";
    pub(super) const ADVERTISE: &str = "advertise";
    pub(super) const UNADVERTISE: &str = "unadvertise";
    pub(super) const GET_PARAMETERS: &str = "getParameters";
    pub(super) const SET_PARAMETERS: &str = "setParameters";
    pub(super) const SUBSCRIBE_PARAMETER_UPDATES: &str = "subscribeParameterUpdates";
    pub(super) const UNSUBSCRIBE_PARAMETER_UPDATES: &str = "unsubscribeParameterUpdates";
    pub(super) const SUBSCRIBE_CONNECTION_GRAPH: &str = "subscribeConnectionGraph";
    pub(super) const UNSUBSCRIBE_CONNECTION_GRAPH: &str = "unsubscribeConnectionGraph";
    pub(super) const FETCH_ASSET: &str = "fetchAsset";
}

mod opcode {
    pub(super) const MESSAGE_DATA: u8 = 1;
    pub(super) const SERVICE_CALL_REQUEST: u8 = 2;
    pub(super) const PLAYBACK_CONTROL: u8 = 3;
    pub(super) const PING: u8 = 4;
    pub(super) const PING_ACK: u8 = 5;
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParameterNames<'a> {
    #[serde(deserialize_with = "json::list")]
    parameter_names: Cow<'a, [String]>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetParameters<'a> {
    #[serde(deserialize_with = "json::list")]
    parameter_names: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FetchAsset<'a> {
    request_id: u32,
    uri: Cow<'a, str>,
}

#[derive(Serialize)]
struct NoMembers {}

impl FromViewer {
    /// Reads a frame that a viewer sent. Data and payloads are slices of it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the stream remains readable (P-39 to P-45).
    pub fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        match frame.kind {
            FrameKind::Text => Self::decode_text(&frame.payload),
            FrameKind::Binary => Self::decode_binary(frame.payload.clone()),
        }
    }

    fn decode_text(payload: &[u8]) -> Result<Self, DecodeError> {
        let (text, op) = json::find_op(payload)?;
        Ok(match &*op {
            op::SUBSCRIBE => {
                let message: Channels<'_, _> = json::parse(op::SUBSCRIBE, text)?;
                Self::Subscribe { channels: message.channels.into_owned() }
            }
            op::UNSUBSCRIBE => {
                let message: ChannelIds<'_, _> = json::parse(op::UNSUBSCRIBE, text)?;
                Self::Unsubscribe { channel_ids: message.channel_ids.into_owned() }
            }
            op::ADVERTISE => {
                let message: Channels<'_, _> = json::parse(op::ADVERTISE, text)?;
                Self::Advertise { channels: message.channels.into_owned() }
            }
            op::UNADVERTISE => {
                let message: ChannelIds<'_, _> = json::parse(op::UNADVERTISE, text)?;
                Self::Unadvertise { channel_ids: message.channel_ids.into_owned() }
            }
            op::GET_PARAMETERS => {
                let message: GetParameters<'_> = json::parse(op::GET_PARAMETERS, text)?;
                Self::GetParameters { names: message.parameter_names.into_owned(), id: message.id.map(Cow::into_owned) }
            }
            op::SET_PARAMETERS => {
                let message: ParametersIn<'_> = json::parse(op::SET_PARAMETERS, text)?;
                Self::SetParameters { parameters: message.parameters.into_owned(), id: message.id }
            }
            op::SUBSCRIBE_PARAMETER_UPDATES => {
                let message: ParameterNames<'_> = json::parse(op::SUBSCRIBE_PARAMETER_UPDATES, text)?;
                Self::SubscribeParameterUpdates { names: message.parameter_names.into_owned() }
            }
            op::UNSUBSCRIBE_PARAMETER_UPDATES => {
                let message: ParameterNames<'_> = json::parse(op::UNSUBSCRIBE_PARAMETER_UPDATES, text)?;
                Self::UnsubscribeParameterUpdates { names: message.parameter_names.into_owned() }
            }
            op::SUBSCRIBE_CONNECTION_GRAPH => Self::SubscribeConnectionGraph,
            op::UNSUBSCRIBE_CONNECTION_GRAPH => Self::UnsubscribeConnectionGraph,
            op::FETCH_ASSET => {
                let message: FetchAsset<'_> = json::parse(op::FETCH_ASSET, text)?;
                Self::FetchAsset { request_id: message.request_id, uri: message.uri.into_owned() }
            }
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
                Self::MessageData { channel_id: cursor.u32("channel id")?, data: cursor.rest() }
            }
            opcode::SERVICE_CALL_REQUEST => {
                Self::ServiceCallRequest(ServiceCall::decode("serviceCallRequest", payload)?)
            }
            opcode::PLAYBACK_CONTROL => Self::PlaybackControl(PlaybackControl::decode(payload)?),
            opcode::PING => Self::Ping { app_timestamp: Cursor::new("ping", payload).eight_bytes("app timestamp")? },
            opcode::PING_ACK => {
                Self::PingAck { device_timestamp_ms: Cursor::new("pingAck", payload).u64("device timestamp")? }
            }
            opcode => return Err(DecodeError::UnknownOpcode { opcode }),
        })
    }

    /// The whole frame, header included. What a viewer writes to its control stream.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the message is too large or a parameter has no wire form.
    pub fn to_frame(&self) -> Result<Bytes, EncodeError> {
        match self {
            Self::Subscribe { channels } => {
                json::check_len("channels", channels)?;
                json::frame(op::SUBSCRIBE, &Channels { channels: Cow::Borrowed(channels) })
            }
            Self::Unsubscribe { channel_ids } => {
                json::check_len("channelIds", channel_ids)?;
                json::frame(op::UNSUBSCRIBE, &ChannelIds { channel_ids: Cow::Borrowed(channel_ids) })
            }
            Self::Advertise { channels } => {
                json::check_len("channels", channels)?;
                json::frame(op::ADVERTISE, &Channels { channels: Cow::Borrowed(channels) })
            }
            Self::Unadvertise { channel_ids } => {
                json::check_len("channelIds", channel_ids)?;
                json::frame(op::UNADVERTISE, &ChannelIds { channel_ids: Cow::Borrowed(channel_ids) })
            }
            Self::MessageData { channel_id, data } => {
                let mut frame = begin_frame(FrameKind::Binary, 5 + data.len())?;
                frame.push(opcode::MESSAGE_DATA);
                frame.extend_from_slice(&channel_id.to_le_bytes());
                frame.extend_from_slice(data);
                Ok(Bytes::from(frame))
            }
            Self::ServiceCallRequest(call) => call.to_frame(opcode::SERVICE_CALL_REQUEST),
            Self::PlaybackControl(control) => control.to_frame(opcode::PLAYBACK_CONTROL),
            Self::Ping { app_timestamp } => eight_byte_frame(opcode::PING, *app_timestamp),
            Self::PingAck { device_timestamp_ms } => {
                eight_byte_frame(opcode::PING_ACK, device_timestamp_ms.to_le_bytes())
            }
            Self::GetParameters { names, id } => {
                json::check_len("parameterNames", names)?;
                let id = id.as_deref().map(Cow::Borrowed);
                json::frame(op::GET_PARAMETERS, &GetParameters { parameter_names: Cow::Borrowed(names), id })
            }
            Self::SetParameters { parameters, id } => {
                json::parameters_frame(op::SET_PARAMETERS, parameters.iter(), id.as_deref())
            }
            Self::SubscribeParameterUpdates { names } => names_frame(op::SUBSCRIBE_PARAMETER_UPDATES, names),
            Self::UnsubscribeParameterUpdates { names } => names_frame(op::UNSUBSCRIBE_PARAMETER_UPDATES, names),
            Self::SubscribeConnectionGraph => json::frame(op::SUBSCRIBE_CONNECTION_GRAPH, &NoMembers {}),
            Self::UnsubscribeConnectionGraph => json::frame(op::UNSUBSCRIBE_CONNECTION_GRAPH, &NoMembers {}),
            Self::FetchAsset { request_id, uri } => {
                json::frame(op::FETCH_ASSET, &FetchAsset { request_id: *request_id, uri: Cow::Borrowed(uri) })
            }
        }
    }
}

fn names_frame(op: &'static str, names: &[String]) -> Result<Bytes, EncodeError> {
    json::check_len("parameterNames", names)?;
    json::frame(op, &ParameterNames { parameter_names: Cow::Borrowed(names) })
}

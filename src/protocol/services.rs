//! Services: their announcement (7.13) and the calls, whose request (6.6) and response (7.8) share one layout (P-135).

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::error::{DecodeError, EncodeError};
use super::frame::{begin_frame, FrameKind};
use super::json::{self, Text};

/// A service call request or response; the direction tells which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCall {
    /// Service id, from the announcement.
    pub service_id: u32,
    /// Call id, chosen by the viewer and echoed.
    pub call_id: u32,
    /// Encoding of `payload`.
    pub encoding: String,
    /// Request or response bytes, may be empty.
    pub payload: Bytes,
}

/// One announced service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAdvertisement {
    /// Service id, 1 or more.
    pub id: u32,
    /// Name, unique on the device.
    pub name: String,
    /// Service type name; `type` on the wire.
    pub type_name: String,
    /// Declared request schema. `None` is written as the legacy `requestSchema: ""` (P-142).
    pub request: Option<MessageSchema>,
    /// Declared response schema. `None` is written as the legacy `responseSchema: ""` (P-142).
    pub response: Option<MessageSchema>,
}

/// Schema of a service's request or response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSchema {
    /// Message encoding.
    pub encoding: String,
    /// Schema name.
    pub schema_name: String,
    /// Schema encoding.
    pub schema_encoding: String,
    /// Schema data as text; base64 for the binary encodings (P-62, P-65).
    pub schema: String,
}

impl ServiceCall {
    /// The layout behind the opcode, in either direction.
    pub(super) fn decode(message: &'static str, body: Bytes) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(message, body);
        Ok(Self {
            service_id: cursor.u32("service id")?,
            call_id: cursor.u32("call id")?,
            encoding: cursor.string("encoding")?,
            payload: cursor.rest(),
        })
    }

    pub(super) fn to_frame(&self, opcode: u8) -> Result<Bytes, EncodeError> {
        let mut frame = begin_frame(FrameKind::Binary, 13 + self.encoding.len() + self.payload.len())?;
        frame.push(opcode);
        frame.extend_from_slice(&self.service_id.to_le_bytes());
        frame.extend_from_slice(&self.call_id.to_le_bytes());
        // No cast can truncate: begin_frame has refused anything near 4 GiB.
        frame.extend_from_slice(&(self.encoding.len() as u32).to_le_bytes());
        frame.extend_from_slice(self.encoding.as_bytes());
        frame.extend_from_slice(&self.payload);
        Ok(Bytes::from(frame))
    }
}

pub(super) const OP: &str = "advertiseServices";

#[derive(Serialize)]
struct AdvertiseOut<'a> {
    services: Vec<ServiceOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceOut<'a> {
    id: u32,
    name: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a MessageSchema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_schema: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a MessageSchema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<&'static str>,
}

#[derive(Deserialize)]
struct AdvertiseIn<'a> {
    #[serde(deserialize_with = "json::objects")]
    services: Cow<'a, [ServiceIn]>,
}

/// The legacy `requestSchema` and `responseSchema` are checked to be strings, and that is all: with them a reader knows no more
/// about the service than without (P-142).
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceIn {
    id: u32,
    name: String,
    r#type: String,
    #[serde(default, deserialize_with = "json::opt_object")]
    request: Option<MessageSchema>,
    #[serde(default, deserialize_with = "skip_text")]
    #[serde(rename = "requestSchema")]
    _request_schema: (),
    #[serde(default, deserialize_with = "json::opt_object")]
    response: Option<MessageSchema>,
    #[serde(default, deserialize_with = "skip_text")]
    #[serde(rename = "responseSchema")]
    _response_schema: (),
}

fn skip_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Option::<Text<'de>>::deserialize(deserializer).map(drop)
}

/// The frame of `advertiseServices`.
pub(super) fn advertise_frame(services: &[ServiceAdvertisement]) -> Result<Bytes, EncodeError> {
    json::check_len("services", services)?;
    let services = services
        .iter()
        .map(|service| ServiceOut {
            id: service.id,
            name: &service.name,
            r#type: &service.type_name,
            request: service.request.as_ref(),
            request_schema: service.request.is_none().then_some(""),
            response: service.response.as_ref(),
            response_schema: service.response.is_none().then_some(""),
        })
        .collect();
    json::frame(OP, &AdvertiseOut { services })
}

/// Reads `advertiseServices`.
pub(super) fn decode_advertise(text: &str) -> Result<Vec<ServiceAdvertisement>, DecodeError> {
    let message: AdvertiseIn<'_> = json::parse(OP, text)?;
    let public = |service: ServiceIn| ServiceAdvertisement {
        id: service.id,
        name: service.name,
        type_name: service.r#type,
        request: service.request,
        response: service.response,
    };
    Ok(message.services.into_owned().into_iter().map(public).collect())
}

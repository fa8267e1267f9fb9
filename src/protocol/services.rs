//! Services: their announcement (7.13) and the calls, whose request (6.6) and response (7.8) share one layout (P-135).

use bytes::Bytes;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

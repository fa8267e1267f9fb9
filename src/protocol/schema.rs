//! Schema data as JSON text (P-62 to P-65), reserved metadata keys, and the control topic.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use bytes::Bytes;
use thiserror::Error;

/// Topic of the control byte streams, in both directions (P-1).
pub const CONTROL_TOPIC: &str = "control";

/// Reserved channel metadata: `true` on Reliable channels, never present as `false` (P-126).
pub const RELIABLE_KEY: &str = "foxglove.reliable";
/// Reserved channel metadata: `true` on channels that can be requested as video (P-126).
pub const HAS_VIDEO_TRACK_KEY: &str = "foxglove.hasVideoTrack";
/// Reserved channel metadata: source image encoding, once the first video frame was made (P-126, P-167).
pub const VIDEO_SOURCE_ENCODING_KEY: &str = "foxglove.videoSourceEncoding";
/// Reserved channel metadata: coordinate frame of the video, if not empty (P-126).
pub const VIDEO_FRAME_ID_KEY: &str = "foxglove.videoFrameId";
/// Reserved channel metadata: schema name before point-cloud compression (P-126).
pub const ORIGINAL_SCHEMA_NAME_KEY: &str = "foxglove.originalSchemaName";

/// All reserved channel metadata keys; the device overwrites or removes what an application sets under them.
pub const RESERVED_METADATA_KEYS: [&str; 5] =
    [RELIABLE_KEY, HAS_VIDEO_TRACK_KEY, VIDEO_SOURCE_ENCODING_KEY, VIDEO_FRAME_ID_KEY, ORIGINAL_SCHEMA_NAME_KEY];

/// Schema data that has no JSON form, or JSON text that is not schema data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The text of a binary schema is not base64. The wording is the one viewers are sent (P-81).
    #[error("Schema data is not valid base64: {detail}")]
    Base64 {
        /// What the base64 decoder objected to.
        detail: String,
    },
    /// The bytes of a text schema are not UTF-8 (P-64).
    #[error("schema data of encoding \"{encoding}\" is not UTF-8: first invalid byte at offset {valid_up_to}")]
    NotUtf8 {
        /// The schema encoding.
        encoding: String,
        /// Number of bytes before the first invalid one.
        valid_up_to: usize,
    },
}

/// Whether schema data of this schema encoding is binary and so travels as base64 (P-62).
pub fn is_binary_schema(schema_encoding: &str) -> bool {
    matches!(schema_encoding, "protobuf" | "flatbuffer")
}

/// Whether a device channel of this message encoding must have a schema to be advertised (P-64).
pub fn requires_schema(message_encoding: &str) -> bool {
    matches!(message_encoding, "protobuf" | "flatbuffer" | "ros1" | "cdr")
}

/// Schema data as the string that JSON carries (P-62).
///
/// # Errors
///
/// [`SchemaError::NotUtf8`] for a text schema that is not UTF-8; such a channel is never advertised (P-64).
pub fn encode_schema_data(schema_encoding: &str, data: &[u8]) -> Result<String, SchemaError> {
    if is_binary_schema(schema_encoding) {
        return Ok(STANDARD.encode(data));
    }
    match std::str::from_utf8(data) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(SchemaError::NotUtf8 {
            encoding: super::error::shorten(schema_encoding),
            valid_up_to: error.valid_up_to(),
        }),
    }
}

/// Schema data out of the string that JSON carries (P-62).
///
/// # Errors
///
/// [`SchemaError::Base64`] for a binary schema that is not standard, padded, canonical base64.
pub fn decode_schema_data(schema_encoding: &str, text: &str) -> Result<Bytes, SchemaError> {
    if !is_binary_schema(schema_encoding) {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    decode_base64(text).map(Bytes::from).map_err(|error| SchemaError::Base64 { detail: error.to_string() })
}

/// Standard base64, padding required, no stray bits (P-62).
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD.decode(text)
}

/// The encoding [`decode_base64`] reads.
pub(super) fn encode_base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

//! The Foxglove schemas in JSON: the keys are protobuf's field names, data is base64 (S-247).

use std::borrow::Cow;

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeSliceError, Engine};
use serde::Deserialize;

use super::{text, timestamp, Body, ImageMessage, VideoError};
use crate::video::pool::Scratch;
use crate::video::Layout;

const WHAT: &str = "JSON message";

/// Padding may be left out; all else is checked.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct Time {
    #[serde(default)]
    sec: u32,
    #[serde(default)]
    nsec: u32,
}

/// The fields of both schemas; as in protobuf's own JSON, what is left out is zero or empty.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Fields<'a> {
    timestamp: Option<Time>,
    #[serde(borrow)]
    frame_id: Cow<'a, str>,
    width: u32,
    height: u32,
    #[serde(borrow)]
    encoding: Cow<'a, str>,
    step: u32,
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
}

pub(super) fn read<'a>(
    layout: Layout,
    bytes: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<ImageMessage<'a>, VideoError> {
    // An array would do for the fields in order, and all of them have defaults.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(VideoError::malformed(WHAT, "not an object"));
    }
    let fields: Fields<'a> =
        serde_json::from_slice(bytes).map_err(|error| VideoError::malformed(WHAT, error.to_string()))?;
    let timestamp = fields.timestamp.map(|time| timestamp(WHAT, time.sec, time.nsec)).transpose()?;
    let data = decode(&fields.data, scratch)?;
    let body = match layout {
        Layout::Raw => {
            let Fields { width, height, step, .. } = fields;
            let encoding = bounded("encoding", fields.encoding)?;
            Body::Raw { width, height, encoding, step, big_endian: false, data }
        }
        Layout::Compressed => Body::Compressed { format: bounded("format", fields.format)?, data },
    };
    Ok(ImageMessage { timestamp, frame_id: bounded("frame_id", fields.frame_id)?, body })
}

fn bounded<'a>(field: &'static str, value: Cow<'a, str>) -> Result<Cow<'a, str>, VideoError> {
    text(WHAT, field, value.as_bytes())?;
    Ok(value)
}

fn decode<'a>(data: &str, scratch: &'a mut Scratch) -> Result<&'a [u8], VideoError> {
    let room = scratch.take(base64::decoded_len_estimate(data.len()));
    let len = BASE64.decode_slice(data, room).map_err(|error| match error {
        DecodeSliceError::DecodeError(error) => VideoError::malformed(WHAT, format!("data is not base64: {error}")),
        DecodeSliceError::OutputSliceTooSmall => VideoError::malformed(WHAT, "data is not base64"),
    })?;
    Ok(&room[..len])
}

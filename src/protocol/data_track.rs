//! Frames of data tracks (P-152) and the names of data and video tracks (P-148, P-159).
//!
//! The log time of a message is not in the frame: it travels as the user timestamp of the LiveKit frame (P-154).

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::Cursor;
use super::error::DecodeError;

/// Size of the header this module writes, in bytes. A reader goes by the header's own data offset (P-153).
pub const HEADER_LEN: usize = 8;

const SEQUENCE_AT: usize = 4;
const DATA_TRACK_PREFIX: &str = "data-ch-";
const VIDEO_TRACK_PREFIX: &str = "video-ch-";

/// A decoded frame of a data track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackFrame {
    /// Reserved; unknown flags are to be ignored.
    pub flags: u16,
    /// Grows by one per frame of a published track from 0 and wraps; a gap is a loss (P-155).
    pub sequence: u32,
    /// Message bytes, may be empty.
    pub data: Bytes,
}

/// The frame for one message: one allocation, one copy.
///
/// It stays writable so that [`set_sequence`] can number it when it is really sent.
pub fn frame(sequence: u32, data: &[u8]) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEADER_LEN + data.len());
    frame.put_u16_le(0);
    frame.put_u16_le(HEADER_LEN as u16);
    frame.put_u32_le(sequence);
    frame.put_slice(data);
    frame
}

/// Replaces the sequence number of a frame made by [`frame`].
///
/// # Panics
///
/// If `frame` is shorter than the header.
pub fn set_sequence(frame: &mut [u8], sequence: u32) {
    frame[SEQUENCE_AT..HEADER_LEN].copy_from_slice(&sequence.to_le_bytes());
}

/// Reads a frame; the data is a slice of it.
///
/// # Errors
///
/// [`DecodeError`] if the frame is shorter than its header or the data offset lies in the header or beyond the end (P-153).
pub fn decode(frame: &Bytes) -> Result<TrackFrame, DecodeError> {
    const MESSAGE: &str = "data track frame";
    let mut header = Cursor::new(MESSAGE, frame.clone());
    let flags = header.u16("flags")?;
    let offset = header.u16("data offset")?;
    let sequence = header.u32("sequence")?;
    let start = usize::from(offset);
    if start < HEADER_LEN || start > frame.len() {
        return Err(DecodeError::InvalidValue { message: MESSAGE, field: "data offset", value: u32::from(offset) });
    }
    Ok(TrackFrame { flags, sequence, data: frame.slice(start..) })
}

/// Name of the data track of a channel.
pub fn data_track_name(channel_id: u64) -> String {
    format!("{DATA_TRACK_PREFIX}{channel_id}")
}

/// Name of the video track of a channel.
pub fn video_track_name(channel_id: u64) -> String {
    format!("{VIDEO_TRACK_PREFIX}{channel_id}")
}

/// The channel id in the name of a data track; `None` if the name is anything else, padded numbers included.
pub fn parse_data_track_name(name: &str) -> Option<u64> {
    parse_id(name.strip_prefix(DATA_TRACK_PREFIX)?)
}

/// The channel id in the name of a video track; `None` if the name is anything else, padded numbers included.
pub fn parse_video_track_name(name: &str) -> Option<u64> {
    parse_id(name.strip_prefix(VIDEO_TRACK_PREFIX)?)
}

fn parse_id(digits: &str) -> Option<u64> {
    // str::parse would accept a sign and leading zeros, so that two names meant one channel.
    if !digits.bytes().all(|b| b.is_ascii_digit()) || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    digits.parse().ok()
}

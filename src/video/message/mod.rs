//! Image messages of every serialization, read without copying their pixels (S-278).

mod cdr;
mod flatbuffer;
mod json;
mod protobuf;
mod reader;
mod ros1;

use std::borrow::Cow;

use super::pool::Scratch;
use super::{ImageKind, VideoError, Wire};

/// Longest text in a message: names are short, and these are kept and told to viewers.
const MAX_TEXT: usize = 4096;

/// A point in time after 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    sec: u32,
    nsec: u32,
}

impl Timestamp {
    /// Nanoseconds of a second and more carry over; `None` when they carry over the range of the seconds (S-278).
    fn new(sec: u32, nsec: u32) -> Option<Self> {
        const SECOND: u32 = 1_000_000_000;
        Some(Self { sec: sec.checked_add(nsec / SECOND)?, nsec: nsec % SECOND })
    }

    /// Microseconds since 1970, cut (P-164).
    pub(super) fn micros(self) -> i64 {
        i64::from(self.sec) * 1_000_000 + i64::from(self.nsec / 1000)
    }
}

/// What an image message says, borrowed from its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ImageMessage<'a> {
    /// When the picture was taken, if the message says so.
    pub(super) timestamp: Option<Timestamp>,
    /// Where it was taken; bytes that are no UTF-8 are replaced.
    pub(super) frame_id: Cow<'a, str>,
    /// The picture.
    pub(super) body: Body<'a>,
}

/// The picture of an image message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body<'a> {
    /// Rows of pixels.
    Raw {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Name of the pixel format.
        encoding: Cow<'a, str>,
        /// From one row to the next, in bytes.
        step: u32,
        /// Byte order of samples of several bytes; only ROS has a word for it.
        big_endian: bool,
        /// The rows.
        data: &'a [u8],
    },
    /// A file.
    Compressed {
        /// Name of the codec.
        format: Cow<'a, str>,
        /// The file.
        data: &'a [u8],
    },
}

/// Reads a message of this kind. `scratch` takes what cannot be borrowed, the data of JSON.
pub(super) fn read<'a>(
    kind: ImageKind,
    bytes: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<ImageMessage<'a>, VideoError> {
    match kind.wire {
        Wire::Protobuf => protobuf::read(kind.layout, bytes),
        Wire::Json => json::read(kind.layout, bytes, scratch),
        Wire::Flatbuffer => flatbuffer::read(kind.layout, bytes),
        Wire::Ros1 => ros1::read(kind.layout, bytes),
        Wire::Ros2 => cdr::read_ros2(kind.layout, bytes),
        Wire::OmgIdl => cdr::read_omg_idl(kind.layout, bytes),
    }
}

/// A text field. A wrong character is no reason to lose the picture.
fn text<'a>(what: &'static str, field: &'static str, bytes: &'a [u8]) -> Result<Cow<'a, str>, VideoError> {
    if bytes.len() > MAX_TEXT {
        return Err(VideoError::malformed(what, format!("{field} of {} bytes", bytes.len())));
    }
    Ok(String::from_utf8_lossy(bytes))
}

/// A time of unsigned seconds and nanoseconds.
fn timestamp(what: &'static str, sec: u32, nsec: u32) -> Result<Timestamp, VideoError> {
    Timestamp::new(sec, nsec)
        .ok_or_else(|| VideoError::malformed(what, format!("timestamp of {sec} s and {nsec} ns is out of range")))
}

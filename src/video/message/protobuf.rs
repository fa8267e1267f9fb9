//! The Foxglove schemas in protocol buffers. By hand, because generated types copy: this borrows.

use super::{text, Body, ImageMessage, Timestamp, VideoError};
use crate::video::Layout;

const WHAT: &str = "protobuf message";

/// A field's value, as its wire type has it.
#[derive(Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message in order.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, VideoError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Fixed64
            }
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Value::Fixed32(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            wire_type => return Err(VideoError::malformed(WHAT, format!("wire type {wire_type}"))),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], VideoError> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let Some((taken, rest)) = split else {
            let text = format!("a field of {len} bytes where {} are left", self.rest.len());
            return Err(VideoError::malformed(WHAT, text));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, VideoError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.rest.split_first() else {
                return Err(VideoError::malformed(WHAT, "cut within a number"));
            };
            self.rest = rest;
            // of the tenth byte only one bit has room
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(VideoError::malformed(WHAT, "a number of more than 64 bits"))
    }
}

impl<'a> Value<'a> {
    fn bytes(self, field: &'static str) -> Result<&'a [u8], VideoError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong_type(field)),
        }
    }

    fn fixed32(self, field: &'static str) -> Result<u32, VideoError> {
        match self {
            Self::Fixed32(value) => Ok(value),
            _ => Err(wrong_type(field)),
        }
    }

    fn int64(self, field: &'static str) -> Result<i64, VideoError> {
        match self {
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(wrong_type(field)),
        }
    }
}

fn wrong_type(field: &'static str) -> VideoError {
    VideoError::malformed(WHAT, format!("{field} has the wrong wire type"))
}

/// A `google.protobuf.Timestamp` in the making: a message may carry it in pieces.
#[derive(Clone, Copy, Default)]
struct Time {
    seconds: i64,
    nanos: i64,
}

impl Time {
    fn merge(&mut self, bytes: &[u8]) -> Result<(), VideoError> {
        let mut fields = Fields { rest: bytes };
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.seconds = value.int64("timestamp.seconds")?,
                2 => self.nanos = value.int64("timestamp.nanos")?,
                _ => {}
            }
        }
        Ok(())
    }

    fn timestamp(self) -> Result<Timestamp, VideoError> {
        let Self { seconds, nanos } = self;
        let both = u32::try_from(seconds).ok().zip(u32::try_from(nanos).ok());
        both.and_then(|(seconds, nanos)| Timestamp::new(seconds, nanos)).ok_or_else(|| {
            VideoError::malformed(WHAT, format!("timestamp of {seconds} s and {nanos} ns is out of range"))
        })
    }
}

pub(super) fn read(layout: Layout, bytes: &[u8]) -> Result<ImageMessage<'_>, VideoError> {
    let (mut time, mut frame_id, mut name, mut data) = (None::<Time>, &[][..], &[][..], &[][..]);
    let (mut width, mut height, mut step) = (0, 0, 0);
    let mut fields = Fields { rest: bytes };
    while let Some((number, value)) = fields.next()? {
        match (layout, number) {
            (_, 1) => time.get_or_insert_default().merge(value.bytes("timestamp")?)?,
            (Layout::Compressed, 2) => data = value.bytes("data")?,
            (Layout::Compressed, 3) => name = value.bytes("format")?,
            (Layout::Compressed, 4) => frame_id = value.bytes("frame_id")?,
            (Layout::Raw, 2) => width = value.fixed32("width")?,
            (Layout::Raw, 3) => height = value.fixed32("height")?,
            (Layout::Raw, 4) => name = value.bytes("encoding")?,
            (Layout::Raw, 5) => step = value.fixed32("step")?,
            (Layout::Raw, 6) => data = value.bytes("data")?,
            (Layout::Raw, 7) => frame_id = value.bytes("frame_id")?,
            (_, 0) => return Err(VideoError::malformed(WHAT, "field number 0")),
            _ => {}
        }
    }
    let body = match layout {
        Layout::Raw => {
            Body::Raw { width, height, encoding: text(WHAT, "encoding", name)?, step, big_endian: false, data }
        }
        Layout::Compressed => Body::Compressed { format: text(WHAT, "format", name)?, data },
    };
    let timestamp = time.map(Time::timestamp).transpose()?;
    Ok(ImageMessage { timestamp, frame_id: text(WHAT, "frame_id", frame_id)?, body })
}

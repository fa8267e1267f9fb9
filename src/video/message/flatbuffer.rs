//! The Foxglove schemas in FlatBuffers. Every offset is checked where it is followed (S-247): bounds, alignment and the
//! terminator of strings, as the official verifier does; that one's accessors are unsafe to call.

use std::borrow::Cow;
use std::ops::Range;

use super::{text, timestamp, Body, ImageMessage, Timestamp, VideoError};
use crate::video::Layout;

const WHAT: &str = "flatbuffer";

/// A table inside a buffer.
struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    /// In bytes, the offset to the vtable included.
    len: usize,
    /// Offsets of the fields in the table, two bytes each.
    fields: &'a [u8],
}

impl<'a> Table<'a> {
    fn root(buffer: &'a [u8]) -> Result<Self, VideoError> {
        let at = u32_at(buffer, 0, "root offset")? as usize;
        let to_vtable = i64::from(u32_at(buffer, at, "root table")?.cast_signed());
        let vtable = usize::try_from(at as i64 - to_vtable).map_err(|_| outside("vtable"))?;
        if !vtable.is_multiple_of(2) {
            return Err(VideoError::malformed(WHAT, "vtable is not aligned"));
        }
        let vtable_len = usize::from(u16_at(buffer, vtable).ok_or_else(|| outside("vtable"))?);
        let len = usize::from(u16_at(buffer, vtable + 2).ok_or_else(|| outside("vtable"))?);
        let fields = slice(buffer, vtable, vtable_len)
            .and_then(|vtable| vtable.get(4..))
            .filter(|fields| fields.len().is_multiple_of(2))
            .ok_or_else(|| outside("vtable"))?;
        if slice(buffer, at, len).is_none() {
            return Err(outside("root table"));
        }
        Ok(Self { buffer, at, len, fields })
    }

    /// Where a field of `len` bytes lies; `None` when it is not there. `slot` counts in bytes from the vtable's begin.
    fn field(&self, slot: usize, len: usize, name: &'static str) -> Result<Option<usize>, VideoError> {
        match u16_at(self.fields, slot - 4).map_or(0, usize::from) {
            0 => Ok(None),
            offset if offset + len <= self.len => Ok(Some(self.at + offset)),
            _ => Err(outside(name)),
        }
    }

    fn u32(&self, slot: usize, name: &'static str) -> Result<u32, VideoError> {
        self.field(slot, 4, name)?.map_or(Ok(0), |at| u32_at(self.buffer, at, name))
    }

    fn time(&self, slot: usize, name: &'static str) -> Result<Option<Timestamp>, VideoError> {
        let Some(at) = self.field(slot, 8, name)? else { return Ok(None) };
        timestamp(WHAT, u32_at(self.buffer, at, name)?, u32_at(self.buffer, at + 4, name)?).map(Some)
    }

    fn bytes(&self, slot: usize, name: &'static str) -> Result<&'a [u8], VideoError> {
        Ok(self.vector(slot, name)?.map_or(&[], |range| &self.buffer[range]))
    }

    fn string(&self, slot: usize, name: &'static str) -> Result<Cow<'a, str>, VideoError> {
        let Some(range) = self.vector(slot, name)? else { return Ok(Cow::Borrowed("")) };
        if self.buffer.get(range.end) != Some(&0) {
            return Err(VideoError::malformed(WHAT, format!("{name} does not end in a zero")));
        }
        text(WHAT, name, &self.buffer[range])
    }

    /// Where a vector's bytes lie, inside the buffer.
    fn vector(&self, slot: usize, name: &'static str) -> Result<Option<Range<usize>>, VideoError> {
        let Some(at) = self.field(slot, 4, name)? else { return Ok(None) };
        let start = at.checked_add(u32_at(self.buffer, at, name)? as usize).ok_or_else(|| outside(name))?;
        let len = u32_at(self.buffer, start, name)? as usize;
        let start = start + 4; // those four have just been read
        match start.checked_add(len) {
            Some(end) if end <= self.buffer.len() => Ok(Some(start..end)),
            _ => Err(outside(name)),
        }
    }
}

fn slice(buffer: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    buffer.get(at..at.checked_add(len)?)
}

fn u16_at(buffer: &[u8], at: usize) -> Option<u16> {
    slice(buffer, at, 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(buffer: &[u8], at: usize, name: &'static str) -> Result<u32, VideoError> {
    if !at.is_multiple_of(4) {
        return Err(VideoError::malformed(WHAT, format!("{name} is not aligned")));
    }
    let bytes = slice(buffer, at, 4).ok_or_else(|| outside(name))?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn outside(name: &'static str) -> VideoError {
    VideoError::malformed(WHAT, format!("{name} lies outside"))
}

pub(super) fn read(layout: Layout, bytes: &[u8]) -> Result<ImageMessage<'_>, VideoError> {
    let table = Table::root(bytes)?;
    let timestamp = table.time(4, "timestamp")?;
    let frame_id = table.string(6, "frame_id")?;
    let body = match layout {
        Layout::Compressed => Body::Compressed { data: table.bytes(8, "data")?, format: table.string(10, "format")? },
        Layout::Raw => Body::Raw {
            width: table.u32(8, "width")?,
            height: table.u32(10, "height")?,
            encoding: table.string(12, "encoding")?,
            step: table.u32(14, "step")?,
            big_endian: false,
            data: table.bytes(16, "data")?,
        },
    };
    Ok(ImageMessage { timestamp, frame_id, body })
}

//! Fields one after the other, as ROS 1 and CDR have them.

use std::borrow::Cow;

use super::{text, VideoError};

/// Reads fields in order; every error names the field.
pub(super) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
}

/// What the two serializations do differently.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Encoding {
    /// Packed, little-endian, strings without terminator.
    Ros1,
    /// Numbers at multiples of their size, strings with a terminating zero that counts.
    Cdr {
        /// Byte order of numbers.
        big_endian: bool,
    },
}

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { what, bytes, at: 0, encoding }
    }

    fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], VideoError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            let text = format!("{field} needs {len} bytes at {}, there are {}", self.at, rest.len());
            return Err(VideoError::malformed(self.what, text));
        };
        self.at += len;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, VideoError> {
        Ok(self.take(field, 1)?[0])
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, VideoError> {
        if matches!(self.encoding, Encoding::Cdr { .. }) {
            self.at = self.at.next_multiple_of(4);
        }
        let bytes = self.take(field, 4)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Ok(match self.encoding {
            Encoding::Cdr { big_endian: true } => u32::from_be_bytes(bytes),
            _ => u32::from_le_bytes(bytes),
        })
    }

    /// A length and as many bytes.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], VideoError> {
        let len = self.u32(field)?;
        self.take(field, len as usize)
    }

    pub(super) fn string(&mut self, field: &'static str) -> Result<Cow<'a, str>, VideoError> {
        let bytes = self.bytes(field)?;
        let bytes = match (self.encoding, bytes) {
            // Some writers leave the terminator out, above all of empty strings.
            (Encoding::Cdr { .. }, [text @ .., 0]) => text,
            _ => bytes,
        };
        text(self.what, field, bytes)
    }
}

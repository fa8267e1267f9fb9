//! Reads the fields of a binary message, naming the message and the field in every error.

use bytes::{Buf, Bytes};

use super::error::DecodeError;

/// The unread rest of a message. The last field is taken as a slice, without a copy.
pub(super) struct Cursor {
    message: &'static str,
    rest: Bytes,
}

impl Cursor {
    pub(super) fn new(message: &'static str, rest: Bytes) -> Self {
        Self { message, rest }
    }

    fn need(&self, field: &'static str, needed: usize) -> Result<(), DecodeError> {
        if self.rest.len() < needed {
            return Err(DecodeError::TooShort { message: self.message, field, needed, available: self.rest.len() });
        }
        Ok(())
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.need(field, 1)?;
        Ok(self.rest.get_u8())
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.need(field, 2)?;
        Ok(self.rest.get_u16_le())
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.need(field, 4)?;
        Ok(self.rest.get_u32_le())
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.need(field, 8)?;
        Ok(self.rest.get_u64_le())
    }

    pub(super) fn f32(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        self.need(field, 4)?;
        Ok(self.rest.get_f32_le())
    }

    pub(super) fn eight_bytes(&mut self, field: &'static str) -> Result<[u8; 8], DecodeError> {
        self.need(field, 8)?;
        let mut bytes = [0; 8];
        self.rest.copy_to_slice(&mut bytes);
        Ok(bytes)
    }

    /// A u32 byte length and that many bytes (P-60).
    pub(super) fn counted(&mut self, field: &'static str) -> Result<Bytes, DecodeError> {
        let len = self.u32(field)? as usize;
        self.need(field, len)?;
        Ok(self.rest.split_to(len))
    }

    /// A u32 byte length and that much UTF-8 (P-60, P-45).
    pub(super) fn string(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let bytes = self.counted(field)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::StringNotUtf8 { message: self.message, field }),
        }
    }

    /// All that is left.
    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    pub(super) fn invalid(&self, field: &'static str, value: u8) -> DecodeError {
        DecodeError::InvalidValue { message: self.message, field, value: u32::from(value) }
    }
}

//! In place of `file.rs` in a build without the feature `mcap`.

use super::track::Track;
use super::{McapError, McapWriterOptions};

/// There is none.
pub(super) enum Recording {}

impl Recording {
    pub(super) fn create(_: &McapWriterOptions) -> Result<Self, McapError> {
        Err(McapError::NotBuilt)
    }

    pub(super) fn add_track(&mut self, _: &Track) -> Result<(), McapError> {
        match *self {}
    }

    pub(super) fn write(&mut self, _: u16, _: u32, _: u64, _: &[u8]) -> Result<(), McapError> {
        match *self {}
    }

    pub(super) fn end_chunk(&mut self) -> Result<(), McapError> {
        match *self {}
    }

    pub(super) fn file_bytes(&self) -> u64 {
        match *self {}
    }

    pub(super) fn finish(self, _: Vec<(String, String)>) -> Result<u64, McapError> {
        match self {}
    }

    pub(super) fn abandon(self) {
        match self {}
    }
}

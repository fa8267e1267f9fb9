//! A picture as the encoder takes it.

use std::sync::Arc;

use super::pool::{Pool, PooledBuffer};
use super::size::FrameSize;

/// One plane of a [`Frame`]: rows without padding.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// All rows, `stride × rows` bytes.
    pub data: &'a [u8],
    /// From one row to the next, in bytes.
    pub stride: u32,
}

/// A planar picture, I420, BT.709, limited range; both sides even, at least 16 pixels.
///
/// The three planes lie one after the other in one buffer without padding, as the LiveKit library takes them. Dropping the
/// frame gives the buffer back to its converter; that is allowed on any thread, also after the converter is gone.
#[derive(Debug)]
pub struct Frame {
    size: FrameSize,
    buffer: PooledBuffer,
}

/// The planes of a frame that is being filled.
pub(super) struct PlanesMut<'a> {
    pub(super) size: FrameSize,
    pub(super) y: &'a mut [u8],
    pub(super) u: &'a mut [u8],
    pub(super) v: &'a mut [u8],
}

impl Frame {
    /// A frame with anything in it.
    pub(super) fn take(pool: &Arc<Pool>, size: FrameSize) -> Self {
        Self { size, buffer: pool.take(size.luma() + 2 * size.chroma()) }
    }

    pub(super) fn planes_mut(&mut self) -> PlanesMut<'_> {
        let (y, chroma) = self.buffer.split_at_mut(self.size.luma());
        let (u, v) = chroma.split_at_mut(self.size.chroma());
        PlanesMut { size: self.size, y, u, v }
    }

    /// In pixels.
    pub fn width(&self) -> u32 {
        self.size.width() as u32
    }

    /// In pixels.
    pub fn height(&self) -> u32 {
        self.size.height() as u32
    }

    /// The planes Y, U and V in order, contiguous: `width × height × 3 / 2` bytes.
    pub fn data(&self) -> &[u8] {
        &self.buffer
    }

    /// Luma, one byte per pixel.
    pub fn y(&self) -> Plane<'_> {
        Plane { data: &self.buffer[..self.size.luma()], stride: self.width() }
    }

    /// Blue difference, one byte for each 2×2 pixels.
    pub fn u(&self) -> Plane<'_> {
        let start = self.size.luma();
        Plane { data: &self.buffer[start..start + self.size.chroma()], stride: self.width() / 2 }
    }

    /// Red difference, one byte for each 2×2 pixels.
    pub fn v(&self) -> Plane<'_> {
        Plane { data: &self.buffer[self.size.luma() + self.size.chroma()..], stride: self.width() / 2 }
    }
}

//! Which sizes are shown, and how odd ones are.

use super::VideoError;

/// The smallest side of a frame, in pixels (S-239).
pub const MIN_SIDE: u32 = 16;
/// The largest side of an image, in pixels: what the largest of the formats, WebP, can say.
pub const MAX_SIDE: u32 = 16_384;
/// The most pixels in an image, 8192×8192: a file of some kilobytes can claim any size, and memory is spent before its end
/// is seen.
pub const MAX_PIXELS: u64 = 8192 * 8192;

/// The size of a frame: both sides even, within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameSize {
    width: u32,
    height: u32,
}

impl FrameSize {
    /// The frame that shows an image of this size. A last odd column and row are cut off (S-240): subsampled planes have
    /// no half pixels.
    pub(super) fn showing(width: u32, height: u32) -> Result<Self, VideoError> {
        let size = Self { width: width & !1, height: height & !1 };
        if size.width == 0 || size.height == 0 {
            Err(VideoError::ZeroSized { width, height })
        } else if size.width < MIN_SIDE || size.height < MIN_SIDE {
            Err(VideoError::TooSmall { width, height })
        } else if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            Err(VideoError::TooLarge { width, height })
        } else {
            Ok(size)
        }
    }

    pub(super) fn width(self) -> usize {
        self.width as usize
    }

    pub(super) fn height(self) -> usize {
        self.height as usize
    }

    /// In bytes: the Y plane.
    pub(super) fn luma(self) -> usize {
        self.width() * self.height()
    }

    /// In bytes: the U plane, and the V plane.
    pub(super) fn chroma(self) -> usize {
        self.luma() / 4
    }
}

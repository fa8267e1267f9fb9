//! Raw pixels to planar frames: I420, BT.709, limited range (S-243 to S-245).

mod bayer;
mod layout;
mod mono;
mod planar;
mod rgb;
mod yuv422;

use std::sync::Arc;

use super::frame::{Frame, PlanesMut};
use super::pool::Pool;
use super::size::FrameSize;
use super::{RawFormat, VideoError};
use bayer::Cell;
use layout::Rows;

/// Pixels in memory, as a message or a camera has them.
#[derive(Clone, Copy, Debug)]
pub struct RawPicture<'a> {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What the bytes mean.
    pub format: RawFormat,
    /// From one row to the next, in bytes; of the Y plane where there are planes. The UV plane of NV12 has the same
    /// stride, rounded up to even; the U and V planes of I420 half of it, rounded up.
    pub stride: u32,
    /// Byte order of samples of several bytes (mono16, 32FC1); of no meaning to the others.
    pub big_endian: bool,
    /// The rows, from the top; what follows them is ignored.
    pub data: &'a [u8],
}

impl RawPicture<'_> {
    /// The frame that shows this picture. No buffer is asked for before the picture's size has been held against the
    /// bytes there are.
    pub(super) fn convert(&self, pool: &Arc<Pool>) -> Result<Frame, VideoError> {
        let rows = Rows::checked(self)?;
        let mut frame = Frame::take(pool, rows.size());
        let to = frame.planes_mut();
        match self.format {
            RawFormat::Rgb8 => rgb::convert(yuv::rgb_to_yuv420, &rows, to)?,
            RawFormat::Bgr8 => rgb::convert(yuv::bgr_to_yuv420, &rows, to)?,
            RawFormat::Rgba8 => rgb::convert(yuv::rgba_to_yuv420, &rows, to)?,
            RawFormat::Bgra8 => rgb::convert(yuv::bgra_to_yuv420, &rows, to)?,
            RawFormat::Mono8 => mono::mono8(&rows, to),
            RawFormat::Mono16 => mono::mono16(&rows, self.big_endian, to),
            RawFormat::Mono32F => mono::float(&rows, self.big_endian, to),
            RawFormat::Uyvy => yuv422::uyvy(&rows, to),
            RawFormat::Yuyv => yuv422::yuyv(&rows, to),
            RawFormat::Nv12 => planar::nv12(&rows, to),
            RawFormat::I420 => planar::i420(&rows, self.height, to),
            RawFormat::BayerBggr8 => bayer::convert(Cell::Bggr, &rows, to),
            RawFormat::BayerGbrg8 => bayer::convert(Cell::Gbrg, &rows, to),
            RawFormat::BayerGrbg8 => bayer::convert(Cell::Grbg, &rows, to),
            RawFormat::BayerRggb8 => bayer::convert(Cell::Rggb, &rows, to),
        }
        Ok(frame)
    }
}

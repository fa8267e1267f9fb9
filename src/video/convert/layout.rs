//! Where the rows of a raw picture lie, checked against the bytes there are (S-244).

use super::{FrameSize, RawFormat, RawPicture};
use crate::video::VideoError;

const WHAT: &str = "raw image";

/// Rows and planes of a picture, all inside its data, cropped to the frame's size.
pub(super) struct Rows<'a> {
    /// The first plane, `stride × height` bytes.
    main: &'a [u8],
    stride: usize,
    /// What follows the first plane, at least as long as the format's other planes.
    chroma: &'a [u8],
    /// Bytes of a row that the frame shows.
    used: usize,
    size: FrameSize,
}

impl<'a> Rows<'a> {
    pub(super) fn checked(picture: &RawPicture<'a>) -> Result<Self, VideoError> {
        let RawPicture { width, height, format, stride, data, .. } = *picture;
        let size = FrameSize::showing(width, height)?;
        let malformed = |detail: String| Err(VideoError::malformed(WHAT, detail));
        let row = u64::from(width) * format.bytes_per_pixel() as u64;
        if u64::from(stride) < row {
            return malformed(format!("a step of {stride} bytes is less than {width} pixels of {}", format.name()));
        }
        let main = u64::from(stride) * u64::from(height);
        let stride = stride as usize;
        // An odd size loses its last column and row, so the chroma of those need not be there.
        let chroma = match format {
            RawFormat::Nv12 => nv12_stride(stride) as u64 * (size.height() / 2) as u64,
            RawFormat::I420 => i420_stride(stride) as u64 * 2 * u64::from(height.div_ceil(2)),
            _ => 0,
        };
        let needed = main + chroma;
        if (data.len() as u64) < needed {
            let text = format!("{} bytes of data where step and height make {needed}", data.len());
            return malformed(text);
        }
        let (main, chroma) = data.split_at(main as usize);
        Ok(Self { main, stride, chroma, used: size.width() * format.bytes_per_pixel(), size })
    }

    /// The size of the frame.
    pub(super) fn size(&self) -> FrameSize {
        self.size
    }

    /// The first plane with its padding, from its first row to the last that the frame shows.
    pub(super) fn main(&self) -> &'a [u8] {
        &self.main[..self.stride * self.size.height()]
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The rows of the first plane without padding, as many as the frame has.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.main().chunks_exact(self.stride).map(|row| &row[..self.used])
    }

    /// Rows of the first plane two by two, as many as the frame has of chroma.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + '_ {
        self.main().chunks_exact(2 * self.stride).map(|pair| {
            let (upper, lower) = pair.split_at(self.stride);
            (&upper[..self.used], &lower[..self.used])
        })
    }

    /// The rows of NV12's second plane without padding.
    pub(super) fn nv12_chroma(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let rows = self.chroma.chunks_exact(nv12_stride(self.stride));
        rows.take(self.size.height() / 2).map(|row| &row[..self.used])
    }

    /// The rows of I420's second and third plane without padding. `picture_height` is that of the whole picture.
    pub(super) fn i420_chroma(&self, picture_height: u32) -> [impl Iterator<Item = &'a [u8]> + '_; 2] {
        let stride = i420_stride(self.stride);
        let (u, rest) = self.chroma.split_at(stride * picture_height.div_ceil(2) as usize);
        [u, rest].map(|plane| plane.chunks_exact(stride).take(self.size.height() / 2).map(|row| &row[..self.used / 2]))
    }
}

/// Pairs of U and V need an even stride; the usual libraries round up.
fn nv12_stride(stride: usize) -> usize {
    stride.next_multiple_of(2)
}

fn i420_stride(stride: usize) -> usize {
    stride.div_ceil(2)
}

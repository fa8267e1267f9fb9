//! Compressed pictures to pixels (S-246). Sizes are checked before memory is asked for.

use std::io::Cursor;

use image_webp::WebPDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::pool::Scratch;
use super::size::FrameSize;
use super::{Codec, RawFormat, RawPicture, VideoError};

/// What a decoder may spend on other things than pixels, in bytes: tables, metadata.
const SIDE_MEMORY: usize = 64 << 20;
/// What a JPEG can say of a side, in pixels: the limit is ours to check, with our own error.
const LARGEST_JPEG: usize = 65_535;
/// Scans of a progressive JPEG, each of which goes over the whole picture; encoders write about ten.
const MAX_SCANS: usize = 64;

/// Decodes a file into `scratch`. Grey pictures stay grey and transparency stays in: the conversion makes the same frame
/// of them as of RGB, and a pass over the pixels is saved.
pub(super) fn decode<'a>(codec: Codec, file: &[u8], scratch: &'a mut Scratch) -> Result<RawPicture<'a>, VideoError> {
    match codec {
        Codec::Jpeg => jpeg(file, scratch),
        Codec::Png => png(file, scratch),
        Codec::Webp => webp(file, scratch),
    }
}

/// Checks what a header claims.
fn claimed(width: u32, height: u32) -> Result<(), VideoError> {
    FrameSize::showing(width, height).map(|_| ())
}

/// The picture of decoded rows without padding.
fn decoded(width: u32, height: u32, format: RawFormat, data: &[u8]) -> RawPicture<'_> {
    let stride = width * format.bytes_per_pixel() as u32;
    RawPicture { width, height, format, stride, big_endian: false, data }
}

fn jpeg<'a>(file: &[u8], scratch: &'a mut Scratch) -> Result<RawPicture<'a>, VideoError> {
    let malformed = |error: &dyn std::fmt::Display| VideoError::malformed("JPEG", error.to_string());
    // Cameras cut their pictures short and leave marks out; what is there gets shown, so not strict.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(LARGEST_JPEG)
        .set_max_height(LARGEST_JPEG)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|error| malformed(&error))?;
    let Some((width, height)) = decoder.dimensions() else {
        return Err(VideoError::malformed("JPEG", "no size"));
    };
    let (width, height) = (width as u32, height as u32);
    claimed(width, height)?;
    let format = if decoder.input_colorspace() == Some(ColorSpace::Luma) {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
        RawFormat::Mono8
    } else {
        RawFormat::Rgb8
    };
    let Some(len) = decoder.output_buffer_size() else {
        return Err(VideoError::malformed("JPEG", "no size"));
    };
    let pixels = scratch.take(len);
    decoder.decode_into(pixels).map_err(|error| malformed(&error))?;
    Ok(decoded(width, height, format, pixels))
}

fn png<'a>(file: &[u8], scratch: &'a mut Scratch) -> Result<RawPicture<'a>, VideoError> {
    let malformed = |error: png::DecodingError| VideoError::malformed("PNG", error.to_string());
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: SIDE_MEMORY });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let (width, height) = decoder.read_header_info().map_err(malformed)?.size();
    claimed(width, height)?;
    let mut reader = decoder.read_info().map_err(malformed)?;
    let Some(len) = reader.output_buffer_size() else {
        return Err(VideoError::malformed("PNG", "no size"));
    };
    let pixels = scratch.take(len);
    let info = reader.next_frame(pixels).map_err(malformed)?;
    let pixels = &mut pixels[..info.buffer_size()];
    let format = match info.color_type {
        png::ColorType::Rgb => RawFormat::Rgb8,
        png::ColorType::Rgba => RawFormat::Rgba8,
        png::ColorType::Grayscale => RawFormat::Mono8,
        png::ColorType::GrayscaleAlpha => {
            for at in 0..pixels.len() / 2 {
                pixels[at] = pixels[2 * at];
            }
            RawFormat::Mono8
        }
        png::ColorType::Indexed => return Err(VideoError::malformed("PNG", "a palette that was not expanded")),
    };
    Ok(decoded(info.width, info.height, format, pixels))
}

fn webp<'a>(file: &[u8], scratch: &'a mut Scratch) -> Result<RawPicture<'a>, VideoError> {
    let malformed = |error: image_webp::DecodingError| VideoError::malformed("WebP", error.to_string());
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(malformed)?;
    decoder.set_memory_limit(SIDE_MEMORY);
    let (width, height) = decoder.dimensions();
    claimed(width, height)?;
    if decoder.is_animated() {
        return Err(VideoError::unsupported("WebP", "an animation"));
    }
    let Some(len) = decoder.output_buffer_size() else {
        return Err(VideoError::malformed("WebP", "no size"));
    };
    let format = if decoder.has_alpha() { RawFormat::Rgba8 } else { RawFormat::Rgb8 };
    let pixels = scratch.take(len);
    decoder.read_image(pixels).map_err(malformed)?;
    Ok(decoded(width, height, format, pixels))
}

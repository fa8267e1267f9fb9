//! `VideoSource`: an image channel for robots that have pictures and no messages.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use bytes::Bytes;

use super::channel::{Channel, ChannelError, ChannelRef, Qos, Schema};
use super::registry::Context;
use super::video_message;

/// Largest side of a picture, pixels.
const MAX_SIDE: u32 = 16_384;

/// What a picture's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoFormat {
    /// 4:2:0: plane Y of `stride` bytes a row, then U, then V, each of half the stride and half the rows, rounded up.
    I420,
    /// 4:2:0: plane Y of `stride` bytes a row, then U and V in turn, half the rows, rounded up; stride rounded up to even.
    Nv12,
    /// Red, green, blue, three bytes per pixel.
    Rgb8,
    /// Blue, green, red, three bytes per pixel.
    Bgr8,
    /// A JPEG file for each picture.
    Mjpeg,
    /// An access unit of H.264 for each picture, Annex B, parameter sets before each key frame. Sent as it is.
    H264,
    /// Red, green, blue and alpha, which is ignored, four bytes per pixel.
    Rgba8,
    /// Blue, green, red and alpha, which is ignored, four bytes per pixel.
    Bgra8,
    /// Luma, one byte per pixel, 0 to 255.
    Mono8,
    /// 4:2:2, Y0 U Y1 V for each two pixels: YUY2, what most raw USB cameras give.
    Yuyv,
    /// 4:2:2, U Y0 V Y1 for each two pixels.
    Uyvy,
}

impl VideoFormat {
    /// What image messages call it; planar pictures become NV12.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::I420 | Self::Nv12 => "nv12",
            Self::Rgb8 => "rgb8",
            Self::Bgr8 => "bgr8",
            Self::Rgba8 => "rgba8",
            Self::Bgra8 => "bgra8",
            Self::Mono8 => "mono8",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Mjpeg => "jpeg",
            Self::H264 => "h264",
        }
    }

    /// What each pixel adds to a row, or to a row of the Y plane, in bytes; of no meaning for what is compressed.
    fn bytes_per_pixel(self) -> u32 {
        match self {
            Self::I420 | Self::Nv12 | Self::Mono8 | Self::Mjpeg | Self::H264 => 1,
            Self::Yuyv | Self::Uyvy => 2,
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 | Self::Bgra8 => 4,
        }
    }
}

/// What a source is pushed. Fixed for its life, because it decides the schema that viewers of data see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VideoSourceKind {
    /// Pixels: any format but MJPEG and H264, as each picture says. Data subscribers get protobuf `foxglove.RawImage`, planar
    /// pictures as `nv12`. Default.
    #[default]
    Pixels,
    /// JPEG files. Data subscribers get protobuf `foxglove.CompressedImage` with format `jpeg`.
    Mjpeg,
    /// Encoded H.264, not decoded and not encoded again. Data subscribers get protobuf `foxglove.CompressedVideo` with
    /// format `h264`.
    H264,
}

impl VideoSourceKind {
    fn takes(self, format: VideoFormat) -> bool {
        let needed = match format {
            VideoFormat::Mjpeg => Self::Mjpeg,
            VideoFormat::H264 => Self::H264,
            _ => Self::Pixels,
        };
        self == needed
    }

    fn schema(self) -> Schema {
        let (name, data): (_, &'static [u8]) = match self {
            Self::Pixels => ("foxglove.RawImage", include_bytes!("schemas/RawImage.bin")),
            Self::Mjpeg => ("foxglove.CompressedImage", include_bytes!("schemas/CompressedImage.bin")),
            Self::H264 => ("foxglove.CompressedVideo", include_bytes!("schemas/CompressedVideo.bin")),
        };
        Schema { name: name.into(), encoding: "protobuf".into(), data: Bytes::from_static(data) }
    }
}

/// How a source is made.
#[derive(Debug, Clone, Default)]
pub struct VideoSourceOptions {
    /// What is pushed. Default pixels.
    pub kind: VideoSourceKind,
    /// Coordinate frame of the camera, told to viewers. Default empty.
    pub frame_id: String,
}

/// One picture. The data is only read during the push.
#[derive(Debug, Clone, Copy)]
pub struct VideoImage<'a> {
    /// What the bytes are.
    pub format: VideoFormat,
    /// In pixels, 1 to 16,384; pictures below 16×16 are not shown, a last odd column is cut off. Not needed for JPEG (0).
    pub width: u32,
    /// As `width`.
    pub height: u32,
    /// From one row to the next, bytes; of the Y plane where there are planes. 0: rows without padding.
    pub stride: u32,
    /// The bytes; what follows the last row is ignored.
    pub data: &'a [u8],
    /// When it was taken, ns since the Unix epoch. 0: now.
    pub time_ns: u64,
    /// For H.264: a decoder can start here. Otherwise of no meaning.
    pub key_frame: bool,
}

impl VideoImage<'_> {
    /// The stride, whether it was given or not.
    pub(crate) fn stride(&self) -> u32 {
        if self.stride == 0 {
            self.row()
        } else {
            self.stride
        }
    }

    /// Bytes of a row, or of one of the Y plane.
    fn row(&self) -> u32 {
        self.width * self.format.bytes_per_pixel()
    }

    fn check(&self) -> Result<(), String> {
        if self.data.is_empty() {
            return Err("the picture is empty".into());
        }
        if self.format == VideoFormat::Mjpeg {
            return Ok(());
        }
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&self.width) || !sides.contains(&self.height) {
            return Err(format!("a picture of {}×{} pixels is outside 1 to {MAX_SIDE}", self.width, self.height));
        }
        if self.format == VideoFormat::H264 {
            return Ok(());
        }
        let (least, stride, height) = (self.row(), u64::from(self.stride()), u64::from(self.height));
        if stride < u64::from(least) {
            return Err(format!("the stride is {stride}, less than a row of {least} bytes"));
        }
        let chroma = match self.format {
            VideoFormat::I420 | VideoFormat::Nv12 => 2 * stride.div_ceil(2) * height.div_ceil(2),
            _ => 0,
        };
        let needed = stride * height + chroma;
        if (self.data.len() as u64) < needed {
            return Err(format!("the picture has {} bytes, less than {needed}", self.data.len()));
        }
        Ok(())
    }
}

/// Why a picture was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VideoPushError {
    /// The source was closed.
    #[error("the video source is closed")]
    Closed,
    /// The picture contradicts itself or the source's options.
    #[error("{0}")]
    Invalid(String),
}

/// What is known of a channel that is a video source. Clones share the wish for a key frame.
#[derive(Debug, Clone)]
pub struct VideoSourceInfo {
    /// What is pushed.
    pub kind: VideoSourceKind,
    /// Coordinate frame.
    pub frame_id: Arc<str>,
    key_frame: Arc<AtomicBool>,
}

impl VideoSourceInfo {
    /// Somebody needs a key frame of an encoded source.
    pub fn request_key_frame(&self) {
        self.key_frame.store(true, Ordering::Relaxed);
    }
}

/// The application's handle of a camera: an image channel to viewers, which watch it as video or take its pictures as
/// messages (lossy, so as far as they fit [`max_data_track_message_size`]).
///
/// Clones share the source; it closes with the last one, or by [`VideoSource::close`]. Thread-safe. Pushing never blocks,
/// and costs next to nothing while nobody watches; while somebody does, one copy of the picture.
///
/// [`max_data_track_message_size`]: crate::session::Limits::max_data_track_message_size
#[derive(Clone)]
pub struct VideoSource {
    channel: Channel,
    info: VideoSourceInfo,
}

impl VideoSource {
    pub(super) fn open(context: &Context, topic: String, options: VideoSourceOptions) -> Result<Self, ChannelError> {
        let info = VideoSourceInfo { kind: options.kind, frame_id: options.frame_id.into(), key_frame: Arc::default() };
        let channel = context
            .channel(topic)
            .encoding("protobuf")
            .schema(options.kind.schema())
            .qos(Qos::Lossy)
            .video_source(info.clone())
            .open()?;
        Ok(Self { channel, info })
    }

    /// Shows a picture. Size, stride and length are checked whether somebody watches or not, so that a mistake is found
    /// early; JPEG is decoded later, for viewers who watch, and one that cannot be is counted then.
    ///
    /// # Errors
    ///
    /// [`VideoPushError::Invalid`] for a picture that is too short, of a wrong size, or of a format that this source does
    /// not take; [`VideoPushError::Closed`].
    pub fn push(&self, image: &VideoImage<'_>) -> Result<(), VideoPushError> {
        if !self.info.kind.takes(image.format) {
            // As the enums of C name them.
            let (format, kind) = (format!("{:?}", image.format), format!("{:?}", self.info.kind));
            let (format, kind) = (format.to_uppercase(), kind.to_uppercase());
            return Err(VideoPushError::Invalid(format!(
                "a source of kind {kind} takes no picture of format {format}"
            )));
        }
        image.check().map_err(VideoPushError::Invalid)?;
        let time_ns = if image.time_ns == 0 { super::now_ns() } else { image.time_ns };
        // Made for the first consumer that wants it, shared by the others.
        let mut message = None;
        let mut make = || {
            let make = || Bytes::from(video_message::encode(image, &self.info.frame_id, time_ns));
            message.get_or_insert_with(make).clone()
        };
        self.channel.picture(image, time_ns, &mut make).map_err(|_| VideoPushError::Closed)
    }

    /// Whether somebody wants pictures now: lets an application leave its camera off.
    pub fn is_wanted(&self) -> bool {
        self.channel.is_wanted()
    }

    /// Whether somebody who watches needs a key frame, since the last call: make the encoder send one. Only for H.264; a
    /// new viewer sees nothing before it.
    pub fn take_key_frame_request(&self) -> bool {
        self.info.key_frame.swap(false, Ordering::Relaxed)
    }

    /// Closes the source for all clones. Any thread, any time; repeated calls do nothing.
    pub fn close(&self) {
        self.channel.close();
    }

    /// The channel that viewers see.
    pub fn channel_ref(&self) -> &ChannelRef {
        self.channel.channel_ref()
    }
}

impl fmt::Debug for VideoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoSource").field("channel", &self.channel).field("kind", &self.info.kind).finish()
    }
}

//! `telelink_video_source`: image channels for robots that have pictures and no messages; codecs and encoders.

use super::channel::telelink_channel_info;
use super::context::telelink_context;
use super::guard::{guard, guard_get, guard_or};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_str};
use crate::context::{VideoFormat, VideoImage, VideoPushError, VideoSource, VideoSourceKind, VideoSourceOptions};
use crate::session::{CaptureTimes, EncoderLimits, VideoCodec, VideoEncoder, VideoOptions};

/// A camera: an image channel that is pushed pictures instead of messages. Viewers watch it as video, or take its
/// pictures as messages.
pub struct telelink_video_source {
    source: VideoSource,
}

/// Codec of video tracks.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_video_codec {
    /// H.264, on macOS VP8. The default.
    Auto = 0,
    /// H.264: hardware encoders on most robots, decoded everywhere.
    H264 = 1,
    /// VP8: cheap in software.
    Vp8 = 2,
    /// VP9.
    Vp9 = 3,
    /// AV1.
    Av1 = 4,
    /// H.265: not decoded by every browser.
    H265 = 5,
}

/// Preferred encoder of video tracks. One that the machine does not have is replaced by the LiveKit library.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_video_encoder {
    /// The LiveKit library's choice. The default.
    Auto = 0,
    /// In software.
    Software = 1,
    /// Any hardware encoder.
    Hardware = 2,
    /// NVIDIA NVENC.
    Nvenc = 3,
    /// VA-API (Intel, AMD).
    Vaapi = 4,
    /// Apple VideoToolbox.
    VideoToolbox = 5,
}

/// Whether pictures carry their capture times to viewers, as LiveKit's frame metadata (user time stamp, microseconds since
/// 1970). The server takes them out for viewers that do not read them; livekit-server 1.13 spoils H.264 key frames by that
/// which fit into one packet, about 1,200 bytes, as dark or plain pictures do.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_video_capture_times {
    /// With every codec but H.264 and H.265. The default.
    Auto = 0,
    /// Always: for viewers that are known to read them.
    Always = 1,
    /// Never.
    Never = 2,
}

/// What a video source is pushed.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_video_source_kind {
    /// Pixels: any format but MJPEG and H264, as each picture says. Who takes messages gets protobuf foxglove.RawImage, planar
    /// pictures as "nv12".
    Pixels = 0,
    /// JPEG files. Who takes messages gets protobuf foxglove.CompressedImage with format "jpeg".
    Mjpeg = 1,
    /// Encoded H.264, sent as it is. Who takes messages gets protobuf foxglove.CompressedVideo with format "h264".
    H264 = 2,
}

/// What the bytes of a picture are.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_video_format {
    /// 4:2:0: plane Y of `stride` bytes a row, then U, then V, each of half the stride and half the rows, rounded up.
    I420 = 0,
    /// 4:2:0: plane Y of `stride` bytes a row, then U and V in turn, half the rows, rounded up; stride rounded up to even.
    Nv12 = 1,
    /// Red, green, blue, three bytes per pixel.
    Rgb8 = 2,
    /// Blue, green, red, three bytes per pixel.
    Bgr8 = 3,
    /// A JPEG file.
    Mjpeg = 4,
    /// An access unit of H.264, Annex B, parameter sets before each key frame.
    H264 = 5,
    /// Red, green, blue and alpha, which is ignored, four bytes per pixel.
    Rgba8 = 6,
    /// Blue, green, red and alpha, which is ignored, four bytes per pixel.
    Bgra8 = 7,
    /// Luma, one byte per pixel, 0 to 255.
    Mono8 = 8,
    /// 4:2:2, Y0 U Y1 V for each two pixels: YUY2, what most raw USB cameras give.
    Yuyv = 9,
    /// 4:2:2, U Y0 V Y1 for each two pixels.
    Uyvy = 10,
}

/// How to make a video source. Set up with telelink_video_source_options_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_video_source_options {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Coordinate frame of the camera, told to viewers. Default empty.
    pub frame_id: telelink_str,
    /// A telelink_video_source_kind. Default TELELINK_VIDEO_SOURCE_KIND_PIXELS.
    pub kind: i32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_video_source_options,
    first_size: size_of::<telelink_video_source_options>(),
    defaults: telelink_video_source_options {
        struct_size: size_of::<telelink_video_source_options>(),
        frame_id: telelink_str::EMPTY,
        kind: telelink_video_source_kind::Pixels as i32,
        reserved: 0,
    },
);

/// One picture. Set up with telelink_video_image_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_video_image {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// The bytes, borrowed for the push; what follows the last row is ignored.
    pub data: telelink_bytes,
    /// When it was taken, nanoseconds since the Unix epoch. 0: now. Default 0.
    pub time_ns: u64,
    /// A telelink_video_format. Default TELELINK_VIDEO_FORMAT_I420.
    pub format: i32,
    /// In pixels, 1 to 16,384; pictures below 16×16 are not shown, a last odd column is cut off. 0 for JPEG.
    pub width: u32,
    /// As `width`.
    pub height: u32,
    /// From one row to the next, bytes; of the Y plane where there are planes. 0: rows without padding. Default 0.
    pub stride: u32,
    /// For H.264: a decoder can start here: 0 or 1. Default 0.
    pub key_frame: u32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_video_image,
    first_size: size_of::<telelink_video_image>(),
    defaults: telelink_video_image {
        struct_size: size_of::<telelink_video_image>(),
        data: telelink_bytes { data: std::ptr::null(), len: 0 },
        time_ns: 0,
        format: telelink_video_format::I420 as i32,
        width: 0,
        height: 0,
        stride: 0,
        key_frame: 0,
        reserved: 0,
    },
);

fn invalid(text: String) -> Failure {
    Failure::new(telelink_status::InvalidValue, text)
}

impl From<VideoPushError> for Failure {
    fn from(error: VideoPushError) -> Self {
        let status = match error {
            VideoPushError::Closed => telelink_status::Closed,
            VideoPushError::Invalid(_) => telelink_status::InvalidValue,
        };
        Self::new(status, error.to_string())
    }
}

/// The video options of a session.
pub(super) fn video_options(
    codec: i32,
    encoder: i32,
    max_bitrate: u64,
    max_framerate: f64,
    capture_times: i32,
) -> Result<VideoOptions, Failure> {
    /// Frames per second when only the bit rate is bounded: what cameras usually give.
    const USUAL_FRAMERATE: f64 = 30.0;
    let codec = match codec {
        0 => None,
        1 => Some(VideoCodec::H264),
        2 => Some(VideoCodec::Vp8),
        3 => Some(VideoCodec::Vp9),
        4 => Some(VideoCodec::Av1),
        5 => Some(VideoCodec::H265),
        _ => return Err(invalid(format!("options.video_codec is {codec}, which is no telelink_video_codec"))),
    };
    let encoder = match encoder {
        0 => VideoEncoder::Auto,
        1 => VideoEncoder::Software,
        2 => VideoEncoder::Hardware,
        3 => VideoEncoder::Nvenc,
        4 => VideoEncoder::Vaapi,
        5 => VideoEncoder::VideoToolbox,
        _ => return Err(invalid(format!("options.video_encoder is {encoder}, which is no telelink_video_encoder"))),
    };
    let limits = match (max_bitrate, max_framerate) {
        (0, 0.0) => None,
        (0, _) => return Err(invalid("options.video_max_framerate needs options.video_max_bitrate".into())),
        (_, 0.0) => Some(EncoderLimits { max_bitrate, max_framerate: USUAL_FRAMERATE }),
        _ => Some(EncoderLimits { max_bitrate, max_framerate }),
    };
    let capture_times = match capture_times {
        0 => CaptureTimes::Auto,
        1 => CaptureTimes::Always,
        2 => CaptureTimes::Never,
        other => {
            let text = format!("options.video_capture_times is {other}, which is no telelink_video_capture_times");
            return Err(invalid(text));
        }
    };
    Ok(VideoOptions { codec, encoder, limits, capture_times })
}

fn kind(value: i32) -> Result<VideoSourceKind, Failure> {
    match value {
        0 => Ok(VideoSourceKind::Pixels),
        1 => Ok(VideoSourceKind::Mjpeg),
        2 => Ok(VideoSourceKind::H264),
        _ => Err(invalid(format!("options.kind is {value}, which is no telelink_video_source_kind"))),
    }
}

fn format(value: i32) -> Result<VideoFormat, Failure> {
    match value {
        0 => Ok(VideoFormat::I420),
        1 => Ok(VideoFormat::Nv12),
        2 => Ok(VideoFormat::Rgb8),
        3 => Ok(VideoFormat::Bgr8),
        4 => Ok(VideoFormat::Mjpeg),
        5 => Ok(VideoFormat::H264),
        6 => Ok(VideoFormat::Rgba8),
        7 => Ok(VideoFormat::Bgra8),
        8 => Ok(VideoFormat::Mono8),
        9 => Ok(VideoFormat::Yuyv),
        10 => Ok(VideoFormat::Uyvy),
        _ => Err(invalid(format!("image.format is {value}, which is no telelink_video_format"))),
    }
}

/// Fills options with the defaults.
///
/// @param options      Written.
/// @param struct_size  sizeof *options.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `options` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_options_init(
    options: *mut telelink_video_source_options,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(options, struct_size, "options") })
}

/// Fills a picture with the defaults.
///
/// @param image        Written.
/// @param struct_size  sizeof *image.
/// @return As telelink_video_source_options_init().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_image_init(
    image: *mut telelink_video_image,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(image, struct_size, "image") })
}

/// Opens an image channel that is pushed pictures: viewers learn of it before this returns.
///
/// @param context  Borrowed.
/// @param topic    Borrowed. Not empty, at most 64 KiB.
/// @param options  Borrowed, optional: NULL means all defaults.
/// @param out      Receives the source; free it with telelink_video_source_free(). Written only on success.
/// @return As telelink_channel_create(); TELELINK_STATUS_INVALID_VALUE also for an unknown `kind`.
/// @threading As telelink_channel_create().
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_create(
    context: *const telelink_context,
    topic: telelink_str,
    options: *const telelink_video_source_options,
    out: *mut *mut telelink_video_source,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for live objects and views or NULL; the helpers refuse NULL where it is not allowed.
        unsafe {
            let context = handle::borrow(context, "context")?;
            let out = handle::out_pointer(out, "out")?;
            let options = sized::read_or_default(options, "options")?;
            let topic = view::text(topic, "topic")?;
            let frame_id = view::text(options.frame_id, "options.frame_id")?.to_owned();
            let options = VideoSourceOptions { kind: kind(options.kind)?, frame_id };
            handle::give(out, telelink_video_source { source: context.context.video_source(topic, options)? });
        }
        Ok(())
    })
}

/// Shows one picture to every viewer that watches or takes messages. Its size, stride and length are checked whether
/// somebody does or not. What is compressed is not looked into here: JPEG is decoded later, for viewers who watch; a
/// picture that cannot be is left out and counted (`video_failed`), and after ten in a row the viewers are told with a
/// status. H.264 is never decoded here.
///
/// A picture that conversion, encoder or network have no time for is dropped, the oldest first, and counted in the
/// session's statistics; this call does not say so.
///
/// @param source  Borrowed.
/// @param image   Borrowed, set up with telelink_video_image_init(). The data is copied before this returns, once, if
///                somebody wants it.
/// @return TELELINK_STATUS_OK             taken, which is not yet shown
///         TELELINK_STATUS_CLOSED         the source is closed
///         TELELINK_STATUS_NULL_ARGUMENT  `source` or `image` is NULL, or `image->data` has a length and no data
///         TELELINK_STATUS_INVALID_VALUE  the picture is too short for its size, its size is 0 or more than 16,384, the
///                                        stride is less than a row, or the source takes no picture of that format
///         TELELINK_STATUS_STRUCT_SIZE    `image` was not set up
/// @threading Any thread, also several at once; never blocks; allowed inside callbacks. The copy takes its time: about
///            0.1 ms per MB. Not for loops that cannot spare that while somebody watches.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_push(
    source: *const telelink_video_source,
    image: *const telelink_video_image,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live source or NULL, and an image that was set up.
        let (source, image) = unsafe { (handle::borrow(source, "source")?, sized::read(image, "image")?) };
        // SAFETY: the header asks for a readable view.
        let data = unsafe { view::bytes(image.data, "image.data") }?;
        source.source.push(&VideoImage {
            format: format(image.format)?,
            width: image.width,
            height: image.height,
            stride: image.stride,
            data,
            time_ns: image.time_ns,
            key_frame: image.key_frame != 0,
        })?;
        Ok(())
    })
}

/// Whether somebody wants pictures now: lets a program leave its camera off.
///
/// @param source  Borrowed. NULL gives false.
/// @return true while at least one viewer watches or takes messages.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_is_wanted(source: *const telelink_video_source) -> bool {
    // SAFETY: the header asks for a live source or NULL.
    guard_get(false, || Ok(unsafe { handle::borrow(source, "source") }?.source.is_wanted()))
}

/// For H.264: whether a viewer needs a key frame, since the last call. Then make the encoder send one: a new viewer sees
/// nothing before it.
///
/// @param source  Borrowed. NULL gives false.
/// @return true once for each wish.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_take_key_frame_request(source: *const telelink_video_source) -> bool {
    // SAFETY: the header asks for a live source or NULL.
    guard_get(false, || Ok(unsafe { handle::borrow(source, "source") }?.source.take_key_frame_request()))
}

/// Closes a source: viewers see it go, later pushes answer TELELINK_STATUS_CLOSED. Closing again does nothing.
///
/// @param source  Borrowed; still has to be freed.
/// @return TELELINK_STATUS_OK             closed, now or before
///         TELELINK_STATUS_NULL_ARGUMENT  `source` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, also while others push; never blocks; allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_close(source: *const telelink_video_source) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live source or NULL.
        unsafe { handle::borrow(source, "source") }?.source.close();
        Ok(())
    })
}

/// Closes a source and frees its handle.
///
/// @param source  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile, nor information borrowed from it. Never blocks.
///            Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_free(source: *mut telelink_video_source) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(source) }));
}

/// The information about the channel that viewers see.
///
/// @param source  Borrowed. NULL gives NULL.
/// @return Borrowed: valid until telelink_video_source_free().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_video_source_as_info(
    source: *const telelink_video_source,
) -> *const telelink_channel_info {
    guard_get(std::ptr::null(), || {
        // SAFETY: the header asks for a live source or NULL.
        let source = unsafe { handle::borrow(source, "source") }?;
        Ok(telelink_channel_info::of(source.source.channel_ref()))
    })
}

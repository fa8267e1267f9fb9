// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/channel.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telelink {

/// Codec of video tracks.
enum class VideoCodec : std::int32_t {
  automatic = 0,  ///< H.264, on macOS VP8
  h264 = 1,       ///< hardware encoders on most robots, decoded everywhere
  vp8 = 2,        ///< cheap in software
  vp9 = 3,
  av1 = 4,
  h265 = 5,  ///< not decoded by every browser
};

/// Preferred encoder of video tracks. One that the machine does not have is replaced by the LiveKit library.
enum class VideoEncoder : std::int32_t {
  automatic = 0,  ///< the LiveKit library's choice
  software = 1,
  hardware = 2,  ///< any hardware encoder
  nvenc = 3,
  vaapi = 4,
  video_toolbox = 5,
};

/// Whether each picture carries its capture time to viewers, as LiveKit's frame metadata (user time stamp, µs since
/// 1970).
///
/// The server takes it out for viewers that do not read it. livekit-server 1.13 spoils H.264 key frames by that which
/// fit into one packet, about 1,200 bytes, as dark or plain pictures do: browsers then show nothing until a larger one
/// comes.
enum class VideoCaptureTimes : std::int32_t {
  automatic = 0,  ///< not with H.264 and H.265; TELELINK_VIDEO_CAPTURE_TIMES in the environment overrides it
  always = 1,     ///< for viewers that are known to read it
  never = 2,      ///< with no codec
};

/// How image channels become video.
struct VideoOptions {
  VideoCodec codec = VideoCodec::automatic;        ///< TELELINK_VIDEO_CODEC in the environment overrides it
  VideoEncoder encoder = VideoEncoder::automatic;  ///< automatic looks at TELELINK_VIDEO_ENCODER in the environment
  std::uint64_t max_bitrate = 0;                   ///< bits per second: 10,000 to 1,000,000,000; 0: by the size
  double max_framerate = 0;                        ///< frames per second: 1 to 240; needs max_bitrate; 0: 30 with one
  /// Whether viewers are told when pictures were taken.
  VideoCaptureTimes capture_times = VideoCaptureTimes::automatic;
};

/// What a video source is pushed, and what a viewer gets who takes its messages instead of watching.
enum class VideoSourceKind : std::int32_t {
  pixels = 0,  ///< any format but mjpeg and h264, as each picture says; foxglove.RawImage, planar pictures as "nv12"
  mjpeg = 1,   ///< JPEG files; foxglove.CompressedImage with format "jpeg"
  h264 = 2,    ///< encoded, sent as it is; foxglove.CompressedVideo with format "h264"
};

/// What the bytes of a picture are.
enum class VideoFormat : std::int32_t {
  i420 = 0,   ///< plane Y of `stride` bytes a row, then U, then V, each of half the stride and rows, rounded up
  nv12 = 1,   ///< plane Y, then U and V in turn, half the rows, rounded up; stride rounded up to even
  rgb8 = 2,   ///< red, green, blue
  bgr8 = 3,   ///< blue, green, red
  mjpeg = 4,  ///< a JPEG file
  h264 = 5,   ///< an access unit, Annex B, parameter sets before each key frame
  rgba8 = 6,  ///< red, green, blue, alpha, which is ignored
  bgra8 = 7,  ///< blue, green, red, alpha, which is ignored
  mono8 = 8,  ///< luma
  yuyv = 9,   ///< 4:2:2, Y0 U Y1 V for each two pixels: YUY2, what most raw USB cameras give
  uyvy = 10,  ///< 4:2:2, U Y0 V Y1 for each two pixels
};

/// Optional properties of a video source.
struct VideoSourceOptions {
  VideoSourceKind kind = VideoSourceKind::pixels;  ///< what is pushed
  std::string frame_id = {};                       ///< coordinate frame of the camera, told to viewers
};

/// One picture. Owns nothing: the data has to live during the push.
struct VideoImage {
  VideoFormat format = VideoFormat::i420;  ///< what the bytes are
  std::uint32_t width = 0;                 ///< pixels, 1 to 16,384; below 16x16 nothing is shown; 0 for JPEG
  std::uint32_t height = 0;                ///< as width
  std::uint32_t stride = 0;                ///< from row to row, bytes; of plane Y where there are planes; 0: no padding
  Bytes data = {};                         ///< what follows the last row is ignored
  std::optional<Time> time = std::nullopt;  ///< when it was taken; before 1970 counts as 1970; default now
  bool key_frame = false;                   ///< for H.264: a decoder can start here
};

/// A camera: an image channel that is pushed pictures instead of messages. From Context::video_source(). The destructor
/// closes it.
///
/// Thread-safe: every method may be called from several threads at once, also from callbacks, and never blocks.
class VideoSource {
 public:
  /// Shows one picture to every viewer that watches or takes messages. Its size, stride and length are checked whether
  /// somebody does or not, and it is copied once if somebody does: about 0.1 ms per MB. Pictures for which conversion,
  /// encoder or network have no time are dropped, the oldest first, and counted in the session's statistics.
  ///
  /// What is compressed is not looked into here. JPEG is decoded later, for viewers who watch: a picture that cannot be
  /// is left out and counted (VideoStats::failed), and after ten in a row the viewers are told with a status. H.264 is
  /// never decoded here.
  ///
  /// @return Status::invalid_value for a picture that is too short for its size or of a wrong format; the message
  ///         says what is wrong. Status::closed after close(). Status::null_argument when the source was moved from, or
  ///         for data of nullptr with a size
  Result<void> push(const VideoImage& image) const {
    telelink_video_image c;
    if (const auto status = telelink_video_image_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    c.data = detail::byte_view(image.data);
    if (image.time) {  // 0 would be now
      const auto ns = image.time->time_since_epoch().count();
      c.time_ns = ns < 1 ? 1 : static_cast<std::uint64_t>(ns);
    }
    c.format = static_cast<std::int32_t>(image.format);
    c.width = image.width;
    c.height = image.height;
    c.stride = image.stride;
    c.key_frame = image.key_frame ? 1 : 0;
    return detail::check(telelink_video_source_push(handle_.get(), &c));
  }

  /// Whether somebody wants pictures now: lets you leave the camera off.
  bool is_wanted() const noexcept { return telelink_video_source_is_wanted(handle_.get()); }

  /// For H.264: whether a viewer needs a key frame, since the last call. Then make the encoder send one.
  bool take_key_frame_request() const noexcept { return telelink_video_source_take_key_frame_request(handle_.get()); }

  /// Closes the source: viewers see it go, later pushes answer Status::closed. Closing again does nothing.
  void close() const noexcept { (void)telelink_video_source_close(handle_.get()); }

  std::uint64_t id() const noexcept { return info().id(); }           ///< as ChannelView::id()
  std::string_view topic() const noexcept { return info().topic(); }  ///< as ChannelView::topic()

  /// The channel that viewers see. Valid while this object lives.
  ChannelView info() const noexcept { return ChannelView{telelink_video_source_as_info(handle_.get())}; }

  /// The object of C behind this one.
  const telelink_video_source* c() const noexcept { return handle_.get(); }

 private:
  friend class Context;
  explicit VideoSource(telelink_video_source* source) noexcept : handle_{source} {}

  detail::Handle<telelink_video_source, telelink_video_source_free> handle_;
};

}  // namespace telelink

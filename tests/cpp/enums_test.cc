// The enums of C++ are those of C: every value, and none more.
#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

template <class A, class B>
constexpr bool same(A a, B b) {
  return static_cast<long>(a) == static_cast<long>(b);
}

using telelink::AfterIdle;
using telelink::Capabilities;
using telelink::ConnectionStatus;
using telelink::LogLevel;
using telelink::ParameterKind;
using telelink::Qos;
using telelink::Status;
using telelink::StatusLevel;
using telelink::testing::PanicPoint;

static_assert(same(Qos::lossy, TELELINK_QOS_LOSSY));
static_assert(same(Qos::reliable, TELELINK_QOS_RELIABLE));

static_assert(same(telelink::VideoCodec::automatic, TELELINK_VIDEO_CODEC_AUTO));
static_assert(same(telelink::VideoCodec::h264, TELELINK_VIDEO_CODEC_H264));
static_assert(same(telelink::VideoCodec::vp8, TELELINK_VIDEO_CODEC_VP8));
static_assert(same(telelink::VideoCodec::vp9, TELELINK_VIDEO_CODEC_VP9));
static_assert(same(telelink::VideoCodec::av1, TELELINK_VIDEO_CODEC_AV1));
static_assert(same(telelink::VideoCodec::h265, TELELINK_VIDEO_CODEC_H265));

static_assert(same(telelink::VideoEncoder::automatic, TELELINK_VIDEO_ENCODER_AUTO));
static_assert(same(telelink::VideoEncoder::software, TELELINK_VIDEO_ENCODER_SOFTWARE));
static_assert(same(telelink::VideoEncoder::hardware, TELELINK_VIDEO_ENCODER_HARDWARE));
static_assert(same(telelink::VideoEncoder::nvenc, TELELINK_VIDEO_ENCODER_NVENC));
static_assert(same(telelink::VideoEncoder::vaapi, TELELINK_VIDEO_ENCODER_VAAPI));
static_assert(same(telelink::VideoEncoder::video_toolbox, TELELINK_VIDEO_ENCODER_VIDEO_TOOLBOX));

static_assert(same(telelink::VideoCaptureTimes::automatic, TELELINK_VIDEO_CAPTURE_TIMES_AUTO));
static_assert(same(telelink::VideoCaptureTimes::always, TELELINK_VIDEO_CAPTURE_TIMES_ALWAYS));
static_assert(same(telelink::VideoCaptureTimes::never, TELELINK_VIDEO_CAPTURE_TIMES_NEVER));

static_assert(same(telelink::VideoSourceKind::pixels, TELELINK_VIDEO_SOURCE_KIND_PIXELS));
static_assert(same(telelink::VideoSourceKind::mjpeg, TELELINK_VIDEO_SOURCE_KIND_MJPEG));
static_assert(same(telelink::VideoSourceKind::h264, TELELINK_VIDEO_SOURCE_KIND_H264));

static_assert(same(telelink::VideoFormat::i420, TELELINK_VIDEO_FORMAT_I420));
static_assert(same(telelink::VideoFormat::nv12, TELELINK_VIDEO_FORMAT_NV12));
static_assert(same(telelink::VideoFormat::rgb8, TELELINK_VIDEO_FORMAT_RGB8));
static_assert(same(telelink::VideoFormat::bgr8, TELELINK_VIDEO_FORMAT_BGR8));
static_assert(same(telelink::VideoFormat::mjpeg, TELELINK_VIDEO_FORMAT_MJPEG));
static_assert(same(telelink::VideoFormat::h264, TELELINK_VIDEO_FORMAT_H264));
static_assert(same(telelink::VideoFormat::rgba8, TELELINK_VIDEO_FORMAT_RGBA8));
static_assert(same(telelink::VideoFormat::bgra8, TELELINK_VIDEO_FORMAT_BGRA8));
static_assert(same(telelink::VideoFormat::mono8, TELELINK_VIDEO_FORMAT_MONO8));
static_assert(same(telelink::VideoFormat::yuyv, TELELINK_VIDEO_FORMAT_YUYV));
static_assert(same(telelink::VideoFormat::uyvy, TELELINK_VIDEO_FORMAT_UYVY));

static_assert(same(telelink::McapCompression::zstd, TELELINK_MCAP_COMPRESSION_ZSTD));
static_assert(same(telelink::McapCompression::lz4, TELELINK_MCAP_COMPRESSION_LZ4));
static_assert(same(telelink::McapCompression::none, TELELINK_MCAP_COMPRESSION_NONE));

static_assert(same(telelink::McapSync::never, TELELINK_MCAP_SYNC_NEVER));
static_assert(same(telelink::McapSync::at_end, TELELINK_MCAP_SYNC_AT_END));
static_assert(same(telelink::McapSync::each_chunk, TELELINK_MCAP_SYNC_EACH_CHUNK));

static_assert(same(telelink::McapStatus::recording, TELELINK_MCAP_STATUS_RECORDING));
static_assert(same(telelink::McapStatus::closing, TELELINK_MCAP_STATUS_CLOSING));
static_assert(same(telelink::McapStatus::closed, TELELINK_MCAP_STATUS_CLOSED));
static_assert(same(telelink::McapStatus::failed, TELELINK_MCAP_STATUS_FAILED));

static_assert(same(ConnectionStatus::connecting, TELELINK_CONNECTION_STATUS_CONNECTING));
static_assert(same(ConnectionStatus::connected, TELELINK_CONNECTION_STATUS_CONNECTED));
static_assert(same(ConnectionStatus::shutting_down, TELELINK_CONNECTION_STATUS_SHUTTING_DOWN));
static_assert(same(ConnectionStatus::shutdown, TELELINK_CONNECTION_STATUS_SHUTDOWN));

static_assert(same(ParameterKind::unset, TELELINK_PARAMETER_KIND_UNSET));
static_assert(same(ParameterKind::boolean, TELELINK_PARAMETER_KIND_BOOL));
static_assert(same(ParameterKind::integer, TELELINK_PARAMETER_KIND_INTEGER));
static_assert(same(ParameterKind::floating, TELELINK_PARAMETER_KIND_FLOAT));
static_assert(same(ParameterKind::string, TELELINK_PARAMETER_KIND_STRING));
static_assert(same(ParameterKind::bytes, TELELINK_PARAMETER_KIND_BYTES));
static_assert(same(ParameterKind::bool_array, TELELINK_PARAMETER_KIND_BOOL_ARRAY));
static_assert(same(ParameterKind::integer_array, TELELINK_PARAMETER_KIND_INTEGER_ARRAY));
static_assert(same(ParameterKind::float_array, TELELINK_PARAMETER_KIND_FLOAT_ARRAY));
static_assert(same(ParameterKind::string_array, TELELINK_PARAMETER_KIND_STRING_ARRAY));
static_assert(same(ParameterKind::array, TELELINK_PARAMETER_KIND_ARRAY));
static_assert(same(ParameterKind::dict, TELELINK_PARAMETER_KIND_DICT));

static_assert(same(StatusLevel::info, TELELINK_STATUS_LEVEL_INFO));
static_assert(same(StatusLevel::warning, TELELINK_STATUS_LEVEL_WARNING));
static_assert(same(StatusLevel::error, TELELINK_STATUS_LEVEL_ERROR));

static_assert(same(AfterIdle::wait, TELELINK_AFTER_IDLE_WAIT));
static_assert(same(AfterIdle::end, TELELINK_AFTER_IDLE_END));

static_assert(same(PanicPoint::owner, TELELINK_TEST_PANIC_POINT_OWNER));
static_assert(same(PanicPoint::callbacks, TELELINK_TEST_PANIC_POINT_CALLBACKS));
static_assert(same(PanicPoint::handlers, TELELINK_TEST_PANIC_POINT_HANDLERS));
static_assert(same(PanicPoint::gateway, TELELINK_TEST_PANIC_POINT_GATEWAY));
static_assert(same(PanicPoint::room, TELELINK_TEST_PANIC_POINT_ROOM));
static_assert(same(PanicPoint::video, TELELINK_TEST_PANIC_POINT_VIDEO));

static_assert(same(LogLevel::off, TELELINK_LOG_LEVEL_OFF));
static_assert(same(LogLevel::error, TELELINK_LOG_LEVEL_ERROR));
static_assert(same(LogLevel::warn, TELELINK_LOG_LEVEL_WARN));
static_assert(same(LogLevel::info, TELELINK_LOG_LEVEL_INFO));
static_assert(same(LogLevel::debug, TELELINK_LOG_LEVEL_DEBUG));
static_assert(same(LogLevel::trace, TELELINK_LOG_LEVEL_TRACE));

static_assert(same(telelink::ThreadRole::core, TELELINK_THREAD_ROLE_CORE));
static_assert(same(telelink::ThreadRole::events, TELELINK_THREAD_ROLE_EVENTS));
static_assert(same(telelink::ThreadRole::handler, TELELINK_THREAD_ROLE_HANDLER));
static_assert(same(telelink::ThreadRole::async, TELELINK_THREAD_ROLE_ASYNC));
static_assert(same(telelink::ThreadRole::deadman, TELELINK_THREAD_ROLE_DEADMAN));
static_assert(same(telelink::ThreadRole::video, TELELINK_THREAD_ROLE_VIDEO));
static_assert(same(telelink::ThreadRole::pacer, TELELINK_THREAD_ROLE_PACER));
static_assert(same(telelink::ThreadRole::token, TELELINK_THREAD_ROLE_TOKEN));
static_assert(same(telelink::ThreadRole::log, TELELINK_THREAD_ROLE_LOG));
static_assert(same(telelink::ThreadRole::mcap, TELELINK_THREAD_ROLE_MCAP));

static_assert(same(Capabilities::client_publish, TELELINK_CAPABILITY_CLIENT_PUBLISH));
static_assert(same(Capabilities::parameters, TELELINK_CAPABILITY_PARAMETERS));
static_assert(same(Capabilities::services, TELELINK_CAPABILITY_SERVICES));
static_assert(same(Capabilities::connection_graph, TELELINK_CAPABILITY_CONNECTION_GRAPH));
static_assert(same(Capabilities::assets, TELELINK_CAPABILITY_ASSETS));
static_assert(same(Capabilities::client_publish | Capabilities::services, 5));
static_assert((Capabilities::assets & Capabilities::services) == Capabilities::none);
constexpr Capabilities added(Capabilities to) {
  to |= Capabilities::services;
  return to;
}
static_assert((added(Capabilities::assets) & Capabilities::services) == Capabilities::services);
static_assert((added(Capabilities::assets) & Capabilities::assets) == Capabilities::assets);

constexpr bool known(Status status) {
  switch (status) {  // no default: the compiler names a value that is missing here
    case Status::ok:
      return same(status, TELELINK_STATUS_OK);
    case Status::null_argument:
      return same(status, TELELINK_STATUS_NULL_ARGUMENT);
    case Status::invalid_utf8:
      return same(status, TELELINK_STATUS_INVALID_UTF8);
    case Status::invalid_value:
      return same(status, TELELINK_STATUS_INVALID_VALUE);
    case Status::struct_size:
      return same(status, TELELINK_STATUS_STRUCT_SIZE);
    case Status::duplicate:
      return same(status, TELELINK_STATUS_DUPLICATE);
    case Status::not_found:
      return same(status, TELELINK_STATUS_NOT_FOUND);
    case Status::not_supported:
      return same(status, TELELINK_STATUS_NOT_SUPPORTED);
    case Status::closed:
      return same(status, TELELINK_STATUS_CLOSED);
    case Status::already_responded:
      return same(status, TELELINK_STATUS_ALREADY_RESPONDED);
    case Status::timeout:
      return same(status, TELELINK_STATUS_TIMEOUT);
    case Status::connect_failed:
      return same(status, TELELINK_STATUS_CONNECT_FAILED);
    case Status::unauthorized:
      return same(status, TELELINK_STATUS_UNAUTHORIZED);
    case Status::library_missing:
      return same(status, TELELINK_STATUS_LIBRARY_MISSING);
    case Status::io:
      return same(status, TELELINK_STATUS_IO);
    case Status::duplicate_identity:
      return same(status, TELELINK_STATUS_DUPLICATE_IDENTITY);
    case Status::idle:
      return same(status, TELELINK_STATUS_IDLE);
    case Status::removed:
      return same(status, TELELINK_STATUS_REMOVED);
    case Status::unsupported_version:
      return same(status, TELELINK_STATUS_UNSUPPORTED_VERSION);
    case Status::internal:
      return same(status, TELELINK_STATUS_INTERNAL);
    case Status::panic:
      return same(status, TELELINK_STATUS_PANIC);
  }
  return false;
}

TEST(Enums, EveryStatusThatTheLibraryNamesIsKnown) {
  int named = 0;
  for (std::int32_t value = 0; value < 1000; ++value) {
    const auto status = static_cast<Status>(value);
    if (telelink::to_string(status) == "UNKNOWN") {
      EXPECT_FALSE(known(status)) << value;
    } else {
      EXPECT_TRUE(known(status)) << value << " " << telelink::to_string(status);
      ++named;
    }
  }
  EXPECT_EQ(named, 21);
}

// S-9.
TEST(Enums, ConnectionStatusesHaveNames) {
  EXPECT_EQ(telelink::to_string(ConnectionStatus::connecting), "connecting");
  EXPECT_EQ(telelink::to_string(ConnectionStatus::connected), "connected");
  EXPECT_EQ(telelink::to_string(ConnectionStatus::shutting_down), "shutting down");
  EXPECT_EQ(telelink::to_string(ConnectionStatus::shutdown), "shutdown");
  EXPECT_EQ(telelink::to_string(static_cast<ConnectionStatus>(4)), "unknown");
}

/// The names of the values from 0 on, up to the first that has none.
template <class Enum>
std::string names() {
  std::string all;
  for (std::int32_t value = 0;; ++value) {
    const auto name = telelink::to_string(static_cast<Enum>(value));
    if (name == "unknown") return all;
    all += (all.empty() ? "" : ", ") + std::string{name};
  }
}

TEST(Enums, WhatCallbacksAreToldHasNames) {
  EXPECT_EQ(names<LogLevel>(), "off, error, warn, info, debug, trace");
  EXPECT_EQ(names<StatusLevel>(), "info, warning, error");
  EXPECT_EQ(names<telelink::ControlLost>(), "released, handed over, left, reset, silent, room lost");
  EXPECT_EQ(names<telelink::ThreadRole>(), "core, events, handler, async, deadman, video, pacer, token, log, mcap");
  EXPECT_EQ(names<telelink::McapStatus>(), "recording, closing, closed, failed");
  EXPECT_EQ(names<telelink::Action>(), "subscribe, publish, call, get, set, asset, graph");
}

}  // namespace

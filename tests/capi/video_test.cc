// Video: sources and messages, watched by a viewer; options, policy, statistics.
#include "support.hpp"

#include <string>
#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

constexpr std::uint32_t width = 32;
constexpr std::uint32_t height = 24;

telelink_bytes bytes(const std::vector<std::uint8_t>& data) {
  return telelink_data(data.data(), data.size());
}

class Video : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_video_source_options_init(&source_options, sizeof source_options), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_video_image_init(&image, sizeof image), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_frame_init(&frame, sizeof frame), TELELINK_STATUS_OK);
    source_options.frame_id = text("front");
    image.width = width;
    image.height = height;
    image.format = TELELINK_VIDEO_FORMAT_RGB8;
  }

  void TearDown() override { telelink_video_source_free(source); }

  void open(const char* topic = "/camera") {
    ASSERT_EQ(telelink_video_source_create(robot.context, text(topic), &source_options, &source), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  void watch() {
    robot.start();
    robot.join();
    ASSERT_EQ(telelink_test_viewer_watch(robot.viewer, text("/camera"), wait_ms), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  telelink_status push(const std::vector<std::uint8_t>& data) {
    image.data = bytes(data);
    return telelink_video_source_push(source, &image);
  }

  void next() {
    ASSERT_EQ(telelink_test_viewer_next_frame(robot.viewer, wait_ms, &frame), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  telelink_channel_stats stats() {
    telelink_session_snapshot* snapshot = nullptr;
    telelink_channel_stats channel;
    EXPECT_EQ(telelink_channel_stats_init(&channel, sizeof channel), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_snapshot_create(robot.session, &snapshot), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_snapshot_channel(snapshot, 0, &channel), TELELINK_STATUS_OK);
    telelink_session_snapshot_free(snapshot);
    return channel;
  }

  support::Robot robot;
  telelink_video_source* source = nullptr;
  telelink_video_source_options source_options;
  telelink_video_image image;
  telelink_test_frame frame;
};

TEST_F(Video, ShowsWhatIsPushed) {
  open();
  EXPECT_FALSE(telelink_video_source_is_wanted(source));
  EXPECT_EQ(push(std::vector<std::uint8_t>(width * height * 3, 1)), TELELINK_STATUS_OK) << "nobody watches";
  watch();
  EXPECT_TRUE(telelink_video_source_is_wanted(source));
  image.time_ns = 1'700'000'000'123'456'789;
  ASSERT_EQ(push(std::vector<std::uint8_t>(width * height * 3, 255)), TELELINK_STATUS_OK);
  next();
  EXPECT_EQ(frame.width, width);
  EXPECT_EQ(frame.height, height);
  EXPECT_EQ(frame.capture_time_us, 1'700'000'000'123'456u);
  EXPECT_EQ(frame.channel_id, telelink_channel_info_id(telelink_video_source_as_info(source)));
  ASSERT_EQ(frame.data.len, width * height * 3 / 2);
  EXPECT_NEAR(frame.data.data[0], 235, 1) << "white, limited range";
  EXPECT_NEAR(frame.data.data[width * height], 128, 1);
  // The viewer can see a picture before the thread that sent it has counted it.
  auto figures = stats();
  for (int tries = 0; figures.video_sent == 0 && tries < 20'000; ++tries)
    figures = stats();
  EXPECT_EQ(figures.video_frames, 1u);
  EXPECT_EQ(figures.video_sent, 1u);
  EXPECT_EQ(figures.video_active, 1u);
  EXPECT_EQ(figures.video_subscribers, 1u);
  ASSERT_EQ(telelink_test_viewer_unsubscribe(robot.viewer, text("/camera"), wait_ms), TELELINK_STATUS_OK);
  EXPECT_FALSE(telelink_video_source_is_wanted(source));
}

TEST_F(Video, TakesEveryFormatWithAndWithoutPadding) {
  open();
  watch();
  struct Case {
    telelink_video_format format;
    std::uint32_t stride;
    std::size_t size;
  };
  const std::vector<Case> cases = {
      {TELELINK_VIDEO_FORMAT_I420, 0, width * height * 3 / 2}, {TELELINK_VIDEO_FORMAT_I420, 40, 40 * height * 3 / 2},
      {TELELINK_VIDEO_FORMAT_NV12, 0, width * height * 3 / 2}, {TELELINK_VIDEO_FORMAT_NV12, 64, 64 * height * 3 / 2},
      {TELELINK_VIDEO_FORMAT_RGB8, 0, width * height * 3},     {TELELINK_VIDEO_FORMAT_BGR8, 100, 100 * height},
      {TELELINK_VIDEO_FORMAT_RGBA8, 0, width * height * 4},    {TELELINK_VIDEO_FORMAT_BGRA8, 132, 132 * height},
      {TELELINK_VIDEO_FORMAT_MONO8, 0, width * height},        {TELELINK_VIDEO_FORMAT_MONO8, 33, 33 * height},
      {TELELINK_VIDEO_FORMAT_YUYV, 0, width * height * 2},     {TELELINK_VIDEO_FORMAT_UYVY, 70, 70 * height},
  };
  for (const auto& of : cases) {
    image.format = of.format;
    image.stride = of.stride;
    ASSERT_EQ(push(std::vector<std::uint8_t>(of.size, 128)), TELELINK_STATUS_OK) << telelink_last_error_message();
    next();
    EXPECT_EQ(frame.width, width);
    EXPECT_NEAR(frame.data.data[0], 128, 3) << "format " << of.format;
    EXPECT_EQ(push(std::vector<std::uint8_t>(of.size - 1, 128)), TELELINK_STATUS_INVALID_VALUE)
        << "format " << of.format;
  }
}

TEST_F(Video, ShowsOddSizesWithoutTheirLastColumnAndRow) {
  open();
  watch();
  image.format = TELELINK_VIDEO_FORMAT_I420;
  for (std::uint32_t side = 16; side < 24; ++side) {
    image.width = side;
    image.height = side + 3;
    const std::size_t half = ((side + 1) / 2) * ((side + 4) / 2);
    ASSERT_EQ(push(std::vector<std::uint8_t>(side * (side + 3) + 2 * half, 90)), TELELINK_STATUS_OK);
    next();
    EXPECT_EQ(frame.width, side & ~1u);
    EXPECT_EQ(frame.height, (side + 3) & ~1u);
  }
}

TEST_F(Video, RefusesPicturesThatContradictThemselves) {
  open();
  const std::vector<std::uint8_t> data(width * height * 3, 1);
  image.format = 77;
  EXPECT_EQ(push(data), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "image.format is 77, which is no telelink_video_format");
  image.format = TELELINK_VIDEO_FORMAT_MJPEG;
  EXPECT_EQ(push(data), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "a source of kind PIXELS takes no picture of format MJPEG");
  image.format = TELELINK_VIDEO_FORMAT_RGB8;
  EXPECT_EQ(push({}), TELELINK_STATUS_INVALID_VALUE);
  for (const std::uint32_t side : {0u, 16'385u, 0xffffffffu}) {
    image.width = side;
    EXPECT_EQ(push(data), TELELINK_STATUS_INVALID_VALUE) << side;
  }
  image.width = width;
  image.stride = width * 3 - 1;
  EXPECT_EQ(push(data), TELELINK_STATUS_INVALID_VALUE);
  image.stride = 0xffffffffu;
  EXPECT_EQ(push(data), TELELINK_STATUS_INVALID_VALUE);
  image.stride = 0;
  EXPECT_EQ(push(data), TELELINK_STATUS_OK);
  image.struct_size = 3;
  EXPECT_EQ(push(data), TELELINK_STATUS_STRUCT_SIZE);
  image.struct_size = sizeof image;
  EXPECT_EQ(telelink_video_source_close(source), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_video_source_close(source), TELELINK_STATUS_OK);
  EXPECT_EQ(push(data), TELELINK_STATUS_CLOSED);
}

TEST_F(Video, RefusesBadSources) {
  telelink_video_source* none = nullptr;
  source_options.kind = 3;
  EXPECT_EQ(telelink_video_source_create(robot.context, text("/a"), &source_options, &none),
            TELELINK_STATUS_INVALID_VALUE);
  source_options.kind = TELELINK_VIDEO_SOURCE_KIND_PIXELS;
  EXPECT_EQ(telelink_video_source_create(robot.context, text(""), &source_options, &none),
            TELELINK_STATUS_INVALID_VALUE);
  EXPECT_EQ(none, nullptr);
}

TEST_F(Video, PassesEncodedPicturesThrough) {
  source_options.kind = TELELINK_VIDEO_SOURCE_KIND_H264;
  open();
  watch();
  EXPECT_TRUE(telelink_video_source_take_key_frame_request(source));
  image.format = TELELINK_VIDEO_FORMAT_H264;
  image.key_frame = 1;
  ASSERT_EQ(push({1, 2, 3}), TELELINK_STATUS_OK);
  next();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(frame.data.data), frame.data.len), "\1\2\3");
}

TEST_F(Video, GivesMessagesToThoseWhoTakeData) {
  open();
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/camera"), wait_ms), TELELINK_STATUS_OK);
  ASSERT_EQ(push(std::vector<std::uint8_t>(width * height * 3, 7)), TELELINK_STATUS_OK);
  telelink_test_message message;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_message(robot.viewer, wait_ms, &message), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  const std::string payload(reinterpret_cast<const char*>(message.payload.data), message.payload.len);
  EXPECT_NE(payload.find("rgb8"), std::string::npos);
  EXPECT_NE(payload.find("front"), std::string::npos);
  EXPECT_GT(payload.size(), width * height * 3);
}

TEST_F(Video, KeepsDepthImagesFromBecomingVideo) {
  Event asked;
  telelink_session_policy policy;
  ASSERT_EQ(telelink_session_policy_init(&policy, sizeof policy), TELELINK_STATUS_OK);
  policy.context = &asked;
  policy.suppress_video = [](void* context, const telelink_channel_info* channel) {
    static_cast<Event*>(context)->set();
    return support::string(telelink_channel_info_topic(channel)) == "/depth";
  };
  robot.options.policy = &policy;
  open("/depth");
  telelink_channel_options options;
  ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  const telelink_schema schema = {text("foxglove.RawImage"), text("jsonschema"), telelink_data("{}", 2)};
  options.encoding = text("json");
  options.schema = &schema;
  options.no_video = 1;
  telelink_channel* own = nullptr;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/own"), &options, &own), TELELINK_STATUS_OK);
  robot.start();
  robot.join();
  EXPECT_EQ(asked.count(), 1) << "only for what could be video";
  for (const char* topic : {"/depth", "/own"}) {
    // Advertised, so that the short wait below is one for the track alone.
    ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text(topic), wait_ms), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_test_viewer_watch(robot.viewer, text(topic), 200), TELELINK_STATUS_TIMEOUT) << topic;
    telelink_test_status status;
    ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_next_status(robot.viewer, wait_ms, &status), TELELINK_STATUS_OK);
    EXPECT_NE(support::string(status.message).find("does not support video transcoding"), std::string::npos);
  }
  telelink_channel_free(own);
}

TEST_F(Video, ChecksItsOptions) {
  const auto refused = [&](const char* what) {
    telelink_session* none = nullptr;
    EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &none), TELELINK_STATUS_INVALID_VALUE) << what;
    EXPECT_NE(std::string{telelink_last_error_message()}.find(what), std::string::npos)
        << telelink_last_error_message();
    telelink_session_free(none);
  };
  robot.options.video_codec = 6;
  refused("options.video_codec is 6");
  robot.options.video_codec = TELELINK_VIDEO_CODEC_VP9;
  robot.options.video_encoder = -1;
  refused("options.video_encoder is -1");
  robot.options.video_encoder = TELELINK_VIDEO_ENCODER_SOFTWARE;
  robot.options.video_max_framerate = 15;
  refused("needs options.video_max_bitrate");
  robot.options.video_max_bitrate = 9'999;
  refused("video max_bitrate is 9999 bit/s, outside 10,000 to 1,000,000,000");
  robot.options.video_max_bitrate = 2'000'000;
  robot.options.video_max_framerate = 241;
  refused("video max_framerate is 241 frames/s, outside 1 to 240");
  robot.options.video_max_framerate = 15;
  robot.options.video_capture_times = 3;
  refused("options.video_capture_times is 3");
  robot.options.video_capture_times = TELELINK_VIDEO_CAPTURE_TIMES_NEVER;
  robot.start();
}

TEST_F(Video, ManyThreadsPushOneSource) {
  open();
  watch();
  const std::vector<std::uint8_t> data(width * height * 3, 50);
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      telelink_video_image own = image;
      own.data = bytes(data);
      for (int i = 0; i < 200; ++i)
        EXPECT_EQ(telelink_video_source_push(source, &own), TELELINK_STATUS_OK);
    });
  }
  for (auto& thread : threads)
    thread.join();
  next();
  EXPECT_EQ(stats().video_frames, 800u);
}

}  // namespace

// Video of the C++ wrapper: sources, options, the opt-out, statistics.
#include "support.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using telelink::Session;
using telelink::Status;
using telelink::VideoFormat;
using telelink::VideoImage;

constexpr std::uint32_t width = 32;
constexpr std::uint32_t height = 24;

class CameraRobot {
 public:
  CameraRobot() : options{support::robot(server)} {}

  void start() {
    auto started = Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    auto joined = server.viewer("yard", "operator");
    ASSERT_TRUE(joined) << joined.error().message;
    viewer.emplace(std::move(*joined));
  }

  telelink::testing::Server server;
  telelink::Context context;
  telelink::SessionOptions options;
  std::optional<Session> session;
  std::optional<telelink::testing::Viewer> viewer;
};

VideoImage grey(const std::vector<std::uint8_t>& data) {
  VideoImage image;
  image.format = VideoFormat::rgb8;
  image.width = width;
  image.height = height;
  image.data = data;
  return image;
}

TEST(VideoSource, ShowsItsPicturesAndCountsThem) {
  CameraRobot robot;
  telelink::VideoSourceOptions options;
  options.frame_id = "front";
  auto source = robot.context.video_source("/camera", options);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->topic(), "/camera");
  robot.start();
  ASSERT_TRUE(robot.viewer->watch("/camera"));
  EXPECT_TRUE(source->is_wanted());
  const std::vector<std::uint8_t> black(width * height * 3, 0);
  auto image = grey(black);
  image.time = telelink::Time{std::chrono::microseconds{42'000'000}};
  ASSERT_TRUE(source->push(image));
  const auto frame = robot.viewer->next_frame();
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(frame->width, width);
  EXPECT_EQ(frame->height, height);
  EXPECT_EQ(frame->channel_id, source->id());
  EXPECT_EQ(frame->capture_time_us, 42'000'000u);
  EXPECT_NEAR(static_cast<unsigned char>(frame->data[0]), 16, 1) << "black, limited range";
  // The viewer can see a picture before the thread that sent it has counted it.
  auto stats = robot.session->stats();
  for (int tries = 0; stats && stats->by_channel.at(0).video.sent == 0 && tries < 20'000; ++tries) {
    stats = robot.session->stats();
  }
  ASSERT_TRUE(stats) << stats.error().message;
  ASSERT_EQ(stats->by_channel.size(), 1u);
  EXPECT_EQ(stats->by_channel[0].video.frames, 1u);
  EXPECT_EQ(stats->by_channel[0].video.sent, 1u);
  EXPECT_TRUE(stats->by_channel[0].video.active);
  for (const auto time : {telelink::Time{}, telelink::Time{std::chrono::seconds{-5}}}) {
    image.time = time;
    ASSERT_TRUE(source->push(image));
    const auto old = robot.viewer->next_frame();
    ASSERT_TRUE(old) << old.error().message;
    EXPECT_EQ(old->capture_time_us, 0u) << "what is before 1970 counts as 1970, and not as now";
  }
  source->close();
  EXPECT_EQ(source->push(image).error().status, Status::closed);
  EXPECT_TRUE(robot.viewer->wait_no_channel("/camera"));
}

TEST(VideoSource, SaysWhatIsWrongWithAPicture) {
  telelink::Context context;
  auto source = context.video_source("/camera");
  ASSERT_TRUE(source);
  const std::vector<std::uint8_t> data(10);
  const auto pushed = source->push(grey(data));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().status, Status::invalid_value);
  EXPECT_NE(pushed.error().message.find("the picture has 10 bytes, less than 2304"), std::string::npos)
      << pushed.error().message;
  EXPECT_EQ(context.video_source("").error().status, Status::invalid_value);
}

TEST(VideoSource, EncodedOnesSayWhenAKeyFrameIsNeeded) {
  CameraRobot robot;
  telelink::VideoSourceOptions options;
  options.kind = telelink::VideoSourceKind::h264;
  auto source = robot.context.video_source("/camera", options);
  ASSERT_TRUE(source);
  EXPECT_FALSE(source->take_key_frame_request());
  robot.start();
  ASSERT_TRUE(robot.viewer->watch("/camera"));
  EXPECT_TRUE(source->take_key_frame_request());
  const std::string unit = "an access unit";
  VideoImage image;
  image.format = VideoFormat::h264;
  image.width = width;
  image.height = height;
  image.data = unit;
  image.key_frame = true;
  ASSERT_TRUE(source->push(image));
  const auto frame = robot.viewer->next_frame();
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(frame->data, unit);
}

TEST(VideoOptions, ReachTheSession) {
  CameraRobot robot;
  robot.options.video.codec = telelink::VideoCodec::av1;
  robot.options.video.encoder = telelink::VideoEncoder::software;
  robot.options.video.max_bitrate = 5;
  const auto started = Session::start(robot.context, std::move(robot.options));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().status, Status::invalid_value);
}

TEST(VideoOptions, CaptureTimesReachTheSession) {
  CameraRobot robot;
  robot.options.video.capture_times = static_cast<telelink::VideoCaptureTimes>(7);
  const auto started = Session::start(robot.context, std::move(robot.options));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "options.video_capture_times is 7, which is no telelink_video_capture_times");
}

TEST(VideoOptions, AnOptOutThatThrowsOrBlocksIsContained) {
  CameraRobot robot;
  support::Count asked;
  robot.options.suppress_video = [&](telelink::ChannelView channel) -> bool {
    asked.add();
    if (channel.topic() == "/throws") throw 7;
    // Anything of the library may be called.
    telelink::Context other;
    return other.channel("/x", telelink::json()) && channel.topic() == "/depth";
  };
  auto depth = robot.context.video_source("/depth");
  auto throws = robot.context.video_source("/throws");
  telelink::ChannelOptions never;
  never.video = false;
  auto plain = robot.context.channel("/plain", telelink::json());
  ASSERT_TRUE(depth && throws && plain);
  robot.start();
  EXPECT_EQ(asked.get(), 2);
  EXPECT_TRUE(robot.viewer->watch("/throws")) << "suppresses nothing";
  EXPECT_FALSE(robot.viewer->watch("/depth", std::chrono::milliseconds{200}));
  EXPECT_FALSE(robot.viewer->watch("/plain", std::chrono::milliseconds{200}));
}

// S-84: a question about a channel is asked where nothing else has to wait for the answer.
TEST(VideoOptions, AQuestionThatBlocksHoldsUpNobodyElse) {
  CameraRobot robot;
  support::Count asked, go_on;
  const auto blocks = [&](telelink::ChannelView channel, std::string_view topic) {
    if (channel.topic() != topic) return;
    asked.add();
    EXPECT_TRUE(go_on.wait());
  };
  robot.options.channel_filter = [&](telelink::ChannelView channel) {
    blocks(channel, "/filter");
    return true;
  };
  robot.options.qos = [&](telelink::ChannelView channel) {
    blocks(channel, "/qos");
    return telelink::Qos::reliable;
  };
  robot.options.suppress_video = [&](telelink::ChannelView channel) {
    blocks(channel, "/video");
    return false;
  };
  robot.start();
  auto early = robot.context.channel("/early", telelink::json());
  ASSERT_TRUE(early);
  std::vector<std::thread> threads;
  for (const char* topic : {"/filter", "/qos", "/video"}) {
    threads.emplace_back([&, topic] { EXPECT_TRUE(robot.context.video_source(topic)); });
  }
  EXPECT_TRUE(asked.wait(3));
  // Channels come and go, a viewer subscribes, messages flow.
  auto late = robot.context.channel("/late", telelink::json());
  EXPECT_TRUE(late);
  for (auto* channel : {&*early, &*late}) {
    EXPECT_TRUE(robot.viewer->subscribe(channel->topic())) << channel->topic();
    EXPECT_EQ(channel->log("{}"), Status::ok);
    EXPECT_TRUE(robot.viewer->next_message());
  }
  early->close();
  EXPECT_TRUE(robot.viewer->wait_no_channel("/early"));
  EXPECT_TRUE(robot.session->stats());
  EXPECT_EQ(go_on.get(), 0);
  go_on.add();
  for (auto& thread : threads)
    thread.join();
}

// S-100.
TEST(VideoOptions, APictureFromInsideACallbackOfItsOwnSession) {
  CameraRobot robot;
  auto source = robot.context.video_source("/camera");
  ASSERT_TRUE(source);
  const std::vector<std::uint8_t> white(width * height * 3, 255);
  robot.options.callbacks.on_subscribe = [&](telelink::ClientView, telelink::ChannelView) {
    EXPECT_TRUE(source->push(grey(white)));
  };
  robot.start();
  ASSERT_TRUE(robot.viewer->watch("/camera"));
  // What was pushed before the viewer had the track may be gone; the push itself is what is tried here.
  ASSERT_TRUE(source->push(grey(white)));
  ASSERT_TRUE(robot.viewer->next_frame());
  robot.session.reset();  // a callback that is still running uses what goes before the robot
}

}  // namespace

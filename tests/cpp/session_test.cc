// Session of the C++ wrapper, on the in-memory room.
#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace {

telelink::SessionOptions robot(const telelink::testing::Server& server) {
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "robot");
  options.name = "digger";
  return options;
}

TEST(Session, StreamsToAViewer) {
  telelink::testing::Server server;
  telelink::Context context;
  auto session = telelink::Session::start(context, robot(server));
  ASSERT_TRUE(session) << session.error().message;
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  auto battery = context.channel("/battery", telelink::json(), reliable);
  ASSERT_TRUE(battery);
  auto imu = context.channel("/imu", telelink::json());
  ASSERT_TRUE(imu);

  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer) << viewer.error().message;
  const auto name = viewer->robot_name();
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_EQ(*name, "digger");

  for (const auto* channel : {&*battery, &*imu}) {
    const auto subscribed = viewer->subscribe(channel->topic());
    ASSERT_TRUE(subscribed) << subscribed.error().message;
    EXPECT_TRUE(channel->is_wanted());
    EXPECT_EQ(channel->log(R"({"percent": 81})", telelink::Time{std::chrono::nanoseconds{12345}}), telelink::Status::ok);
    const auto message = viewer->next_message();
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->topic, channel->topic());
    EXPECT_EQ(message->channel_id, channel->id());
    EXPECT_EQ(message->payload, R"({"percent": 81})");
    EXPECT_EQ(message->log_time_ns, 12345U);
    EXPECT_EQ(message->lossy, channel == &*imu);
  }
}

}  // namespace

// The code of docs/channels.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

telelink::Status failed(const telelink::Error& error) {
  return error.status;
}

telelink::Status log_battery() {
  telelink::Context context;
  auto battery = context.channel("/battery", telelink::json());
  if (!battery) return failed(battery.error());
  battery->log(R"({"percent": 81})");
  return telelink::Status::ok;
}

std::string make_scan_message() {
  return "[1, 2]";
}

struct Pose {
  static std::string SerializeAsString() { return "\x08\x01"; }
};

TEST(Channels, LogWithAndWithoutATime) {
  EXPECT_EQ(log_battery(), telelink::Status::ok);
  Page page;
  auto scan = page.context.channel("/scan", telelink::json());
  page.start();
  if (scan->is_wanted()) scan->log(make_scan_message());
  ASSERT_TRUE(page.viewer->subscribe("/scan"));
  const std::string message = make_scan_message();
  const std::int64_t stamp_ns = 1'700'000'000'000'000'000;
  scan->log(message, telelink::Time{std::chrono::nanoseconds{stamp_ns}});
  const auto seen = page.viewer->next_message();
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->payload, "[1, 2]") << "what nobody wanted was not sent";
  EXPECT_EQ(seen->log_time_ns, 1'700'000'000'000'000'000u);
  EXPECT_TRUE(seen->lossy);
}

TEST(Channels, AreAdvertisedWithTheirSchemas) {
  Page page;
  auto& context = page.context;
  auto mode = context.channel("/mode", telelink::json_schema("robot.Mode", R"({
    "type": "object",
    "properties": {"mode": {"type": "string"}, "since": {"type": "number"}}
  })"));
  const auto folder = std::filesystem::temp_directory_path() / ("telelink-manual-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  std::ofstream{"robot.desc", std::ios::binary} << "a descriptor set";
  const Pose message;
  std::ifstream file{"robot.desc", std::ios::binary};
  const std::string descriptor_set{std::istreambuf_iterator<char>{file}, {}};
  auto pose = context.channel("/pose", telelink::protobuf("robot.Pose", descriptor_set));
  pose->log(message.SerializeAsString());
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
  const std::vector<std::uint8_t> serialized{0, 1, 0, 0, 1, 0, 0, 0, 0};
  const std::string text = "string data\n";
  auto chatter = context.channel("/chatter", telelink::ros2msg("std_msgs/msg/String", text));
  chatter->log(serialized);
  page.start();
  for (const char* topic : {"/mode", "/pose", "/chatter"})
    EXPECT_TRUE(page.viewer->wait_channel(topic)) << topic;
  EXPECT_EQ(pose->info().schema()->data.text(), "a descriptor set");
  EXPECT_EQ(mode->info().schema()->encoding, "jsonschema");
  EXPECT_EQ(chatter->info().encoding(), "cdr");
}

TEST(Channels, AreReliableOnRequestAndHiddenByTheFilter) {
  Page page;
  auto& context = page.context;
  auto& options = page.options;
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  reliable.metadata["frame"] = "map";
  auto map = context.channel("/map", telelink::json(), reliable);
  options.channel_filter = [](telelink::ChannelView channel) { return channel.topic() != "/internal"; };
  options.qos = [](telelink::ChannelView channel) {
    return channel.topic() == "/log" ? telelink::Qos::reliable : channel.qos();
  };
  const auto internal = context.channel("/internal", telelink::json());
  const auto log = context.channel("/log", telelink::json());
  page.start();
  ASSERT_TRUE(page.viewer->subscribe("/map"));
  ASSERT_TRUE(page.viewer->subscribe("/log"));
  map->log("1");
  log->log("2");
  for (const char* payload : {"1", "2"}) {
    const auto message = page.viewer->next_message();
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->payload, payload);
    EXPECT_FALSE(message->lossy);
  }
  EXPECT_TRUE(page.viewer->wait_no_channel("/internal"));
}

}  // namespace

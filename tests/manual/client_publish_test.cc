// The code of docs/client-publish.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>

namespace {

TEST(ClientPublish, ReachesTheRobotAndEnds) {
  std::mutex mutex;
  std::condition_variable changed;
  std::string driven;
  bool stopped = false;
  const auto drive = [&](std::string_view text) {
    const std::lock_guard lock{mutex};
    driven = text;
    changed.notify_all();
  };
  const auto stop_the_motors = [&] {
    const std::lock_guard lock{mutex};
    stopped = true;
    changed.notify_all();
  };
  Page page;
  auto& options = page.options;
  options.capabilities = telelink::Capabilities::client_publish;
  options.supported_encodings = {"json"};
  options.callbacks.on_message = [&](telelink::ClientView client, telelink::ClientChannelView channel,
                                     const telelink::ClientMessage& message) {
    const auto age = std::chrono::system_clock::now() - message.receive_time;
    if (channel.topic() == "/cmd_vel" && age < std::chrono::milliseconds{200})
      drive(message.payload.text());
    else
      std::cerr << "ignored a message of " << client.identity() << '\n';
  };
  options.callbacks.on_client_unadvertise = [&](telelink::ClientView, telelink::ClientChannelView channel) {
    if (channel.topic() == "/cmd_vel") stop_the_motors();
  };
  page.start();
  ASSERT_TRUE(page.viewer->advertise(1, "/cmd_vel"));
  ASSERT_TRUE(page.viewer->publish(1, R"({"x": 1})"));
  std::unique_lock lock{mutex};
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds{20}, [&] { return !driven.empty(); }));
  EXPECT_EQ(driven, R"({"x": 1})");
  lock.unlock();
  ASSERT_TRUE(page.viewer->unadvertise(1));
  lock.lock();
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds{20}, [&] { return stopped; }));
}

}  // namespace

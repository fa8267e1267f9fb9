// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// The smallest robot: one channel, one message per second.
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... minimal_robot
#include <telelink/telelink.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

namespace {

std::atomic<bool> running{true};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main() {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });

  telelink::Context context;
  telelink::SessionOptions options;
  options.name = "minimal robot";
  options.url = environment("LIVEKIT_URL");
  options.token = environment("LIVEKIT_TOKEN");
  auto session = telelink::Session::start(context, std::move(options));
  if (!session) {
    std::cerr << session.error().message << '\n';
    return 1;
  }

  auto uptime = context.channel("/uptime", telelink::json());
  if (!uptime) {
    std::cerr << uptime.error().message << '\n';
    return 1;
  }
  for (int seconds = 0; running; ++seconds) {
    uptime->log(R"({"seconds": )" + std::to_string(seconds) + "}");
    std::this_thread::sleep_for(std::chrono::seconds{1});
  }
  // The destructors leave the room.
}

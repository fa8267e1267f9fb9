// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// The library's log in that of ROS 2 (rcutils, and so /rosout of a node): log_to_ros() is what to copy. The rest is a
// robot that shows it.
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... log_rcutils
#include <telelink/telelink.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <rcutils/logging.h>
#include <string>
#include <thread>

namespace {

int ros_severity(telelink::LogLevel level) {
  switch (level) {
    case telelink::LogLevel::error:
      return RCUTILS_LOG_SEVERITY_ERROR;
    case telelink::LogLevel::warn:
      return RCUTILS_LOG_SEVERITY_WARN;
    case telelink::LogLevel::info:
      return RCUTILS_LOG_SEVERITY_INFO;
    default:
      return RCUTILS_LOG_SEVERITY_DEBUG;
  }
}

/// Loggers of ROS are named with points: telelink.gateway.direct, whose level can be set like any other's.
std::string ros_name(std::string_view target) {
  std::string name;
  for (std::size_t at = 0; at < target.size(); ++at) {
    if (target.substr(at, 2) == "::") {
      name += '.';
      ++at;
    } else {
      name += target[at];
    }
  }
  return name;
}

telelink::Result<void> log_to_ros(telelink::LogLevel level) {
  return telelink::set_log(level, [](const telelink::LogRecord& record) {
    const auto name = ros_name(record.target);
    const int severity = ros_severity(record.level);
    if (!rcutils_logging_logger_is_enabled_for(name.c_str(), severity)) return;
    // The text comes from outside and is never the format.
    rcutils_log(nullptr, severity, name.c_str(), "%.*s", static_cast<int>(record.message.size()),
                record.message.data());
  });
}

std::atomic<bool> running{true};

}  // namespace

int main() {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });

  // A node has done this by rclcpp::init().
  if (rcutils_logging_initialize() != RCUTILS_RET_OK) return 1;
  if (auto set = log_to_ros(telelink::LogLevel::info); !set) {
    std::cerr << set.error().message << '\n';
    return 1;
  }
  telelink::Context context;
  auto session = telelink::Session::start(context, telelink::SessionOptions{});
  if (!session) {
    std::cerr << session.error().message << '\n';
    return 1;
  }
  while (running)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
}

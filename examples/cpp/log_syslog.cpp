// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// The library's log in syslog, which on most Linux systems is the journal: log_to_syslog() is what to copy. The rest is
// a robot that shows it, on standard error too (LOG_PERROR).
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... log_syslog
#include <telelink/telelink.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <syslog.h>
#include <thread>

namespace {

int syslog_priority(telelink::LogLevel level) {
  switch (level) {
    case telelink::LogLevel::error:
      return LOG_ERR;
    case telelink::LogLevel::warn:
      return LOG_WARNING;
    case telelink::LogLevel::info:
      return LOG_INFO;
    default:
      return LOG_DEBUG;
  }
}

/// syslog() may block when its daemon is slow; nothing but the log waits for it.
telelink::Result<void> log_to_syslog(telelink::LogLevel level) {
  return telelink::set_log(level, [](const telelink::LogRecord& record) {
    // The text comes from outside and is never the format.
    syslog(syslog_priority(record.level), "%.*s: %.*s", static_cast<int>(record.target.size()), record.target.data(),
           static_cast<int>(record.message.size()), record.message.data());
  });
}

std::atomic<bool> running{true};

}  // namespace

int main() {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });

  openlog("robot", LOG_PID | LOG_PERROR, LOG_DAEMON);
  if (auto set = log_to_syslog(telelink::LogLevel::info); !set) {
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

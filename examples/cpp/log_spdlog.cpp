// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// The library's log in spdlog: log_to() is what to copy. The rest is a robot that shows it.
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... log_spdlog
#include <telelink/telelink.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

namespace {

spdlog::level::level_enum spdlog_level(telelink::LogLevel level) {
  switch (level) {
    case telelink::LogLevel::error:
      return spdlog::level::err;
    case telelink::LogLevel::warn:
      return spdlog::level::warn;
    case telelink::LogLevel::info:
      return spdlog::level::info;
    case telelink::LogLevel::debug:
      return spdlog::level::debug;
    case telelink::LogLevel::trace:
      return spdlog::level::trace;
    case telelink::LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

/// Records keep the time at which they were made; spdlog's own level filters further.
telelink::Result<void> log_to(std::shared_ptr<spdlog::logger> logger, telelink::LogLevel level) {
  return telelink::set_log(level, [logger = std::move(logger)](const telelink::LogRecord& record) {
    const auto time = std::chrono::time_point_cast<spdlog::log_clock::duration>(record.time);
    const auto target = spdlog::string_view_t{record.target.data(), record.target.size()};
    const auto message = spdlog::string_view_t{record.message.data(), record.message.size()};
    logger->log(time, spdlog::source_loc{}, spdlog_level(record.level), fmt::format("{}: {}", target, message));
  });
}

std::atomic<bool> running{true};

}  // namespace

int main() {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });

  if (auto set = log_to(spdlog::stderr_color_mt("telelink"), telelink::LogLevel::info); !set) {
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

// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/channel.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace telelink {

/// How much the library itself says. Each level includes those above it.
enum class LogLevel : std::int32_t {
  off = 0,
  error = 1,  ///< something failed and the robot's people should know
  warn = 2,   ///< something is wrong and the library goes on
  info = 3,   ///< connections, viewers, statistics every 30 s
  debug = 4,  ///< for finding faults
  trace = 5,  ///< everything
};

/// The name of a level, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::off:
      return "off";
    case LogLevel::error:
      return "error";
    case LogLevel::warn:
      return "warn";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
    case LogLevel::trace:
      return "trace";
  }
  return "unknown";
}

/// One record of the library's log. Owns nothing: valid during the callback.
struct LogRecord {
  Time time = {};                  ///< when it was made
  LogLevel level = LogLevel::off;  ///< how serious it is
  std::string_view target = {};    ///< which part of the library, for example "telelink::gateway::direct"
  std::string_view message = {};   ///< never contains a token
};

/// Sends the library's log to standard error. Without this or set_log() nothing is logged, unless TELELINK_LOG in the
/// environment names a level.
inline Result<void> log_to_stderr(LogLevel level = LogLevel::warn) {
  return detail::check(telelink_log_to_stderr(static_cast<std::int32_t>(level)));
}

namespace detail {

using LogReceiver = std::function<void(const LogRecord&)>;

template <class Mode>
struct LogTrampoline {
  static void on_record(void* context, const telelink_log_record* record) noexcept {
    Contain<Mode>::run("the log receiver", [&] {
      const LogRecord view{Time{std::chrono::nanoseconds{record->time_ns}}, static_cast<LogLevel>(record->level),
                           text(record->target), text(record->message)};
      (*static_cast<const LogReceiver*>(context))(view);
    });
  }
};

}  // namespace detail

/// Sends the library's log, with that of the LiveKit library in it (target "livekit"), to `receiver`; an empty one ends
/// the logging.
///
/// Records come one after another on the library's thread `tl-log`. The receiver may block: nothing but the log waits
/// for it; when 1,024 records wait, further ones are dropped, and a record says how many. It may call anything of
/// telelink; what that logs is left out. What it throws is reported on standard error. It is destroyed on that thread
/// after its last record. docs/logging.md has adapters for spdlog, syslog and rcutils.
template <class Mode = detail::Mode>
Result<void> set_log(LogLevel level, std::function<void(const LogRecord&)> receiver) {
  if (!receiver) return detail::check(telelink_log_set_callbacks(static_cast<std::int32_t>(level), nullptr));
  telelink_log_callbacks c = {};
  if (const auto status = telelink_log_callbacks_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
    return detail::last_error(status);
  }
  c.context = std::make_unique<detail::LogReceiver>(std::move(receiver)).release();
  c.drop = &detail::Contain<Mode>::template drop<detail::LogReceiver>;
  c.on_record = &detail::LogTrampoline<Mode>::on_record;
  return detail::check(telelink_log_set_callbacks(static_cast<std::int32_t>(level), &c));
}

}  // namespace telelink

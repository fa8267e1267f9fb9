// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/detail/callback.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace telelink {

/// What a thread of the library is for. docs/threading.md says how many there are of each.
enum class ThreadRole : std::int32_t {
  core = 0,     ///< `tl-core`: decides, reads and writes for all sessions of the process
  events = 1,   ///< `tl-events`: calls a session's callbacks
  handler = 2,  ///< `tl-handler`: runs handlers of requests
  async = 3,    ///< `tl-async`: futures of Rust programs
  deadman = 4,  ///< `tl-deadman`: calls the callbacks of a control lease; late ones are dangerous
  video = 5,    ///< `tl-video`: converts pictures and feeds encoders: the heavy work
  pacer = 6,    ///< `tl-pacer`: sends lossy messages with a gap between them
  token = 7,    ///< `tl-token`: runs the token callback
  log = 8,      ///< `tl-log`: calls the receiver of the log
  mcap = 9,     ///< `tl-mcap`: writes a recording
};

/// The name of a role, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(ThreadRole role) noexcept {
  switch (role) {
    case ThreadRole::core:
      return "core";
    case ThreadRole::events:
      return "events";
    case ThreadRole::handler:
      return "handler";
    case ThreadRole::async:
      return "async";
    case ThreadRole::deadman:
      return "deadman";
    case ThreadRole::video:
      return "video";
    case ThreadRole::pacer:
      return "pacer";
    case ThreadRole::token:
      return "token";
    case ThreadRole::log:
      return "log";
    case ThreadRole::mcap:
      return "mcap";
  }
  return "unknown";
}

namespace detail {

using ThreadHook = std::function<void(ThreadRole, std::string_view)>;

template <class Mode>
struct ThreadTrampoline {
  static void on_start(void* context, std::int32_t role, telelink_str name) noexcept {
    Contain<Mode>::run("the thread hook",
                       [&] { (*static_cast<const ThreadHook*>(context))(static_cast<ThreadRole>(role), text(name)); });
  }
};

}  // namespace detail

/// Has `hook` called on every thread that the library starts from now on, before that does anything else: the place for
/// pthread_setaffinity_np(), pthread_setschedparam() or setpriority(). An empty one ends that.
///
/// One hook for the process, called on several threads at once; what it throws is reported on standard error. Threads
/// that run already are not shown, so it belongs before the first session. The LiveKit library's own threads are not
/// the library's: they inherit affinity and scheduling policy of the thread that starts the first session.
template <class Mode = detail::Mode>
Result<void> set_thread_hook(std::function<void(ThreadRole role, std::string_view name)> hook) {
  if (!hook) return detail::check(telelink_thread_set_callbacks(nullptr));
  telelink_thread_callbacks c = {};
  if (const auto status = telelink_thread_callbacks_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
    return detail::last_error(status);
  }
  c.context = std::make_unique<detail::ThreadHook>(std::move(hook)).release();
  c.drop = &detail::Contain<Mode>::template drop<detail::ThreadHook>;
  c.on_start = &detail::ThreadTrampoline<Mode>::on_start;
  return detail::check(telelink_thread_set_callbacks(&c));
}

}  // namespace telelink

// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/client.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink {

/// Why a viewer no longer holds control.
enum class ControlLost : std::int32_t {
  released = 0,     ///< it gave control up
  handed_over = 1,  ///< it handed control to another viewer, who is told of next
  left = 2,         ///< it left the room, or another connection of the same identity replaced it
  reset = 3,        ///< its connection was restarted, because it could not keep up or its stream broke
  silent = 4,       ///< its heartbeat stopped: no ping within the timeout
  room_lost = 5,    ///< the robot left or lost the room, or the session ended
};

/// The name of a reason, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(ControlLost reason) noexcept {
  switch (reason) {
    case ControlLost::released:
      return "released";
    case ControlLost::handed_over:
      return "handed over";
    case ControlLost::left:
      return "left";
    case ControlLost::reset:
      return "reset";
    case ControlLost::silent:
      return "silent";
    case ControlLost::room_lost:
      return "room lost";
  }
  return "unknown";
}

/// One viewer at a time holds control.
///
/// It takes, hands over and releases it with services that telelink offers by itself, in JSON:
/// `/telelink/control/take`, `/telelink/control/hand_over` with `{"identity": "..."}`, `/telelink/control/release` and
/// `/telelink/control/state`. While somebody holds it, what others publish, call and set is refused where it is needed;
/// while nobody does, everybody may act. A status with the id `telelink-control` tells every viewer who holds it. While
/// the lease is on, names of services below `/telelink/` are telelink's own: Status::invalid_value.
///
/// Control ends when its holder releases it or hands it over, leaves or is reset, or when its heartbeat stops: the ping
/// that viewers send every second. A viewer that lost control without giving it up (reset, silent) is refused like
/// others until it takes control again: what it sent before may still be on its way.
///
/// The callbacks run one after another, in order, on a thread of their own: nothing but they themselves can delay them,
/// so they should return quickly. Each on_taken is followed by one on_lost, also when the session ends. What they throw
/// is reported on standard error and goes no further.
struct ControlLease {
  std::chrono::milliseconds timeout{3000};  ///< how old the holder's last ping may become: 0.5 s to 60 s
  // No lists in braces: g++ 12 crashes on those when a template makes the struct.
  std::vector<std::string> publish = std::vector<std::string>(1, "*");  ///< patterns of topics only it may publish on
  std::vector<std::string> call = std::vector<std::string>(1, "*");     ///< services that only the holder may call
  std::vector<std::string> set = std::vector<std::string>(1, "*");      ///< parameters that only the holder may set
  /// A viewer took control, or was handed it.
  std::function<void(ClientView client)> on_taken = {};
  /// The viewer no longer holds control: stop what must not go on without it. Called within 100 ms after the reason
  /// arose, which for a heartbeat that stops is the end of the timeout.
  ///
  /// Once it has been called, no on_message begins for a message that was published under the lease that ended: what
  /// its holder has published on the topics of `publish` and what still waits is discarded before, and counted
  /// (SessionStats::discarded_incoming). One on_message that has begun by then, or is just being called, may go on
  /// meanwhile, on the session's callback thread: what both do to the motors is for the application to order, with a
  /// lock of its own.
  std::function<void(ClientView client, ControlLost reason)> on_lost = {};
};

namespace detail {

/// What C calls for a control lease; `context` is a ControlLease.
template <class Mode>
class LeaseTables {
 public:
  explicit LeaseTables(std::optional<ControlLease> lease)
      : lease_{lease ? std::make_unique<ControlLease>(std::move(*lease)) : nullptr} {
    if (!lease_) return;
    (void)telelink_control_lease_init(&c_, sizeof c_);
    publish_ = views(lease_->publish);
    call_ = views(lease_->call);
    set_ = views(lease_->set);
    c_.timeout_ms = milliseconds(lease_->timeout);
    c_.publish = publish_.data();
    c_.publish_count = publish_.size();
    c_.call = call_.data();
    c_.call_count = call_.size();
    c_.set = set_.data();
    c_.set_count = set_.size();
    if (lease_->on_taken) c_.on_taken = &on_taken;
    if (lease_->on_lost) c_.on_lost = &on_lost;
  }

  /// Gives the callbacks to C, inside the call to it.
  void release(telelink_session_options& options) noexcept {
    if (!lease_) return;
    // The patterns stay where they are: C copies them before it can free this.
    c_.context = lease_.release();
    c_.drop = &Contain<Mode>::template drop<ControlLease>;
    options.control_lease = &c_;
  }

 private:
  static ControlLease& self(void* context) noexcept { return *static_cast<ControlLease*>(context); }

  static void on_taken(void* context, const telelink_client* client) noexcept {
    Contain<Mode>::run("on_taken", [&] { self(context).on_taken(ClientView{client}); });
  }

  static void on_lost(void* context, const telelink_client* client, telelink_control_lost reason) noexcept {
    Contain<Mode>::run("on_lost", [&] { self(context).on_lost(ClientView{client}, static_cast<ControlLost>(reason)); });
  }

  std::unique_ptr<ControlLease> lease_;
  std::vector<telelink_str> publish_ = {};
  std::vector<telelink_str> call_ = {};
  std::vector<telelink_str> set_ = {};
  telelink_control_lease c_ = {};
};

}  // namespace detail
}  // namespace telelink

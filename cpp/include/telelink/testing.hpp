// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// An in-memory room server and a viewer: test a robot program without a network, in the GoogleTest (or other) suite you
// have. Part of the installed library; not included by telelink.hpp.
//
//   telelink::testing::Server server;
//   telelink::SessionOptions options;
//   options.url = server.url();
//   options.token = server.token("yard", "robot");
//   auto session = telelink::Session::start(context, std::move(options));
//
//   auto viewer = server.viewer("yard", "operator");
//   ASSERT_TRUE(viewer->subscribe("/battery"));
//   battery->log(R"({"percent": 81})");
//   auto message = viewer->next_message();
//   ASSERT_TRUE(message) << message.error().message;
//   EXPECT_EQ(message->payload, R"({"percent": 81})");
//
// Everything that is waited for has a time limit, and a call that returned has reached the robot: no test needs to
// sleep.
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/session.hpp>
#include <telelink/testing.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace telelink::testing {

/// How long a viewer waits for each step, unless told otherwise.
inline constexpr std::chrono::milliseconds default_timeout{10'000};

/// A message that a viewer got.
struct Message {
  std::uint64_t channel_id = 0;   ///< channel it came on
  std::string topic = {};         ///< topic of that channel
  std::string payload = {};       ///< message bytes
  std::uint64_t log_time_ns = 0;  ///< since the Unix epoch
  bool lossy = false;             ///< came over the lossy path
};

/// A picture that a viewer saw.
struct Frame {
  std::uint64_t channel_id = 0;       ///< of the channel that is watched
  std::string data = {};              ///< planes Y, U, V without padding, BT.709 limited range; encoded ones as pushed
  std::uint64_t capture_time_us = 0;  ///< since the Unix epoch
  std::uint32_t width = 0;            ///< pixels
  std::uint32_t height = 0;           ///< pixels
};

/// The answer of a service call, or an asset.
struct Answer {
  bool failed = false;        ///< the robot declined; `message` says why
  std::string encoding = {};  ///< empty for an asset
  std::string payload = {};   ///< answer or asset
  std::string message = {};   ///< why it failed
};

/// A status that a viewer got.
struct StatusText {
  std::int32_t level = 0;    ///< a telelink::StatusLevel
  std::string message = {};  ///< for people
  std::string id = {};       ///< empty without one
};

namespace detail {

using telelink::detail::byte_view;
using telelink::detail::check;
using telelink::detail::last_error;
using telelink::detail::view;

inline std::uint64_t ms(std::chrono::milliseconds time) noexcept {
  return telelink::detail::wait_milliseconds(time);
}

inline std::string string(telelink_str text) {
  return std::string{telelink::detail::text(text)};
}
inline std::string string(telelink_bytes bytes) {
  return std::string{telelink::detail::bytes(bytes).text()};
}

}  // namespace detail

/// A part of the library that can be made to panic.
enum class PanicPoint : std::int32_t {
  owner = 0,      ///< ends the session: shutdown, with the reason Status::panic
  callbacks = 1,  ///< the next event is lost
  handlers = 2,   ///< the next request fails
  gateway = 3,    ///< when it joins again: ends the session
  room = 4,       ///< the next viewer's control stream starts anew
  video = 5,      ///< the next picture for video is lost
};

/// Makes a part of the library panic at its next step: shows that the robot survives a fault of telelink.
inline Result<void> inject_panic(const Session& session, PanicPoint point) {
  return detail::check(telelink_test_inject_panic(session.c(), static_cast<std::int32_t>(point)));
}

/// A viewer in a room. The destructor leaves the room. For one thread at a time, and not for callbacks.
class Viewer {
 public:
  using Timeout = std::chrono::milliseconds;  ///< how long to wait

  /// The robot's name, once it has introduced itself.
  Result<std::string> robot_name(Timeout timeout = default_timeout) const {
    telelink_str name = {};
    const auto status = telelink_test_viewer_robot_name(handle_.get(), detail::ms(timeout), &name);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return detail::string(name);
  }

  /// Waits until the robot advertises a channel of that topic; its id.
  Result<std::uint64_t> wait_channel(std::string_view topic, Timeout timeout = default_timeout) const {
    std::uint64_t id = 0;
    const auto status = telelink_test_viewer_wait_channel(handle_.get(), detail::view(topic), detail::ms(timeout), &id);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return id;
  }

  /// Waits until no channel of the robot has that topic.
  Result<void> wait_no_channel(std::string_view topic, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_wait_no_channel(handle_.get(), detail::view(topic), detail::ms(timeout)));
  }

  /// Waits until the robot offers no service of that name.
  Result<void> wait_no_service(std::string_view name, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_wait_no_service(handle_.get(), detail::view(name), detail::ms(timeout)));
  }

  /// Waits for a channel of that topic and subscribes. When this returns, the next message logged is for this viewer.
  Result<void> subscribe(std::string_view topic, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_subscribe(handle_.get(), detail::view(topic), detail::ms(timeout)));
  }

  /// Ends the subscription. When this returns, the robot knows.
  Result<void> unsubscribe(std::string_view topic, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_unsubscribe(handle_.get(), detail::view(topic), detail::ms(timeout)));
  }

  /// Waits for an image channel of that topic and watches it as video. When this returns, the next picture is for this
  /// viewer. unsubscribe() ends it.
  Result<void> watch(std::string_view topic, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_watch(handle_.get(), detail::view(topic), detail::ms(timeout)));
  }

  /// The next picture of the channels that are watched. Status::timeout when none comes.
  Result<Frame> next_frame(Timeout timeout = default_timeout) const {
    telelink_test_frame c = {};
    auto status = telelink_test_frame_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) {
      status = telelink_test_viewer_next_frame(handle_.get(), detail::ms(timeout), &c);
    }
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return Frame{c.channel_id, detail::string(c.data), c.capture_time_us, c.width, c.height};
  }

  /// The next message of the subscribed channels. Status::timeout when none comes.
  Result<Message> next_message(Timeout timeout = default_timeout) const {
    telelink_test_message c = {};
    auto status = telelink_test_message_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) {
      status = telelink_test_viewer_next_message(handle_.get(), detail::ms(timeout), &c);
    }
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return Message{c.channel_id, detail::string(c.topic), detail::string(c.payload), c.log_time_ns, c.lossy != 0};
  }

  /// The next status that the robot sent. Status::timeout when none comes.
  Result<StatusText> next_status(Timeout timeout = default_timeout) const {
    telelink_test_status c = {};
    auto status = telelink_test_status_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) {
      status = telelink_test_viewer_next_status(handle_.get(), detail::ms(timeout), &c);
    }
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return StatusText{c.level, detail::string(c.message), detail::string(c.id)};
  }

  /// Advertises a channel on which the viewer will publish; `id` is the test's choice.
  Result<void> advertise(std::uint32_t id, std::string_view topic, std::string_view encoding = "json",
                         Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_advertise(handle_.get(), id, detail::view(topic), detail::view(encoding),
                                                        detail::ms(timeout)));
  }

  /// Withdraws a channel of the viewer.
  Result<void> unadvertise(std::uint32_t id, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_unadvertise(handle_.get(), id, detail::ms(timeout)));
  }

  /// Publishes one message. When this returns, the robot has it; its callback may still be running.
  Result<void> publish(std::uint32_t id, Bytes payload, Timeout timeout = default_timeout) const {
    return detail::check(
        telelink_test_viewer_publish(handle_.get(), id, detail::byte_view(payload), detail::ms(timeout)));
  }

  /// Waits for a service and calls it, without waiting for the answer; the number for answer().
  Result<std::uint32_t> start_call(std::string_view service, std::string_view encoding, Bytes payload,
                                   Timeout timeout = default_timeout) const {
    std::uint32_t id = 0;
    const auto status = telelink_test_viewer_call(handle_.get(), detail::view(service), detail::view(encoding),
                                                  detail::byte_view(payload), detail::ms(timeout), &id);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return id;
  }

  /// Waits for the answer of a call.
  Result<Answer> answer(std::uint32_t call_id, Timeout timeout = default_timeout) const {
    telelink_test_answer c = {};
    auto status = telelink_test_answer_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) {
      status = telelink_test_viewer_answer(handle_.get(), call_id, detail::ms(timeout), &c);
    }
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return Answer{c.failed != 0, detail::string(c.encoding), detail::string(c.payload), detail::string(c.message)};
  }

  /// Asks for an asset, without waiting for it; the number for asset().
  Result<std::uint32_t> start_fetch(std::string_view uri, Timeout timeout = default_timeout) const {
    std::uint32_t id = 0;
    const auto status = telelink_test_viewer_fetch_asset(handle_.get(), detail::view(uri), detail::ms(timeout), &id);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return id;
  }

  /// Waits for an asset.
  Result<Answer> asset(std::uint32_t request_id, Timeout timeout = default_timeout) const {
    telelink_test_answer c = {};
    auto status = telelink_test_answer_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) {
      status = telelink_test_viewer_asset(handle_.get(), request_id, detail::ms(timeout), &c);
    }
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return Answer{c.failed != 0, {}, detail::string(c.payload), detail::string(c.message)};
  }

  /// Asks for an asset and waits for it.
  Result<Answer> fetch_asset(std::string_view uri, Timeout timeout = default_timeout) const {
    const auto id = start_fetch(uri, timeout);
    if (!id) return id.error();
    return asset(*id, timeout);
  }

  /// The next JSON message of one kind, as the robot sent it; `op` is for example "advertiseServices".
  Result<std::string> next_json(std::string_view op, Timeout timeout = default_timeout) const {
    telelink_str json = {};
    const auto status = telelink_test_viewer_next_json(handle_.get(), detail::view(op), detail::ms(timeout), &json);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return detail::string(json);
  }

  /// Calls a service and waits for the answer.
  Result<Answer> call(std::string_view service, std::string_view encoding, Bytes payload,
                      Timeout timeout = default_timeout) const {
    const auto id = start_call(service, encoding, payload, timeout);
    if (!id) return id.error();
    return answer(*id, timeout);
  }

  /// Sends a JSON message as it is, for what has no method here. When this returns, the robot has handled it.
  Result<void> send_json(std::string_view json, Timeout timeout = default_timeout) const {
    return detail::check(telelink_test_viewer_send_json(handle_.get(), detail::view(json), detail::ms(timeout)));
  }

  /// Starts or stops the heartbeat: pings, every 200 ms from the joining on, which keep control that this viewer has
  /// taken. Without it the viewer loses control after ControlLease::timeout; it pings only in calls that return when
  /// the robot has handled something.
  void set_heartbeat(bool on) const noexcept { (void)telelink_test_viewer_set_heartbeat(handle_.get(), on ? 1 : 0); }

 private:
  friend class Server;
  explicit Viewer(telelink_test_viewer* viewer) noexcept : handle_{viewer} {}

  telelink::detail::Handle<telelink_test_viewer, telelink_test_viewer_free> handle_;
};

/// An imaginary LiveKit server inside this process, with any number of rooms. Thread-safe.
class Server {
 public:
  Server() noexcept {
    telelink_test_server* server = nullptr;
    (void)telelink_test_server_create(&server);
    handle_.reset(server);
  }

  /// For SessionOptions::url.
  std::string url() const { return detail::string(telelink_test_server_url(handle_.get())); }

  /// For SessionOptions::token. Empty when a text is not UTF-8.
  std::string token(std::string_view room, std::string_view identity) const {
    telelink_str token = {};
    (void)telelink_test_server_token(handle_.get(), detail::view(room), detail::view(identity), &token);
    return detail::string(token);
  }

  /// Joins a room as a viewer. The robot need not be there yet.
  Result<Viewer> viewer(std::string_view room, std::string_view identity,
                        std::chrono::milliseconds timeout = default_timeout) const {
    telelink_test_viewer* viewer = nullptr;
    const auto status = telelink_test_viewer_create(handle_.get(), detail::view(room), detail::view(identity),
                                                    detail::ms(timeout), &viewer);
    if (status != TELELINK_STATUS_OK) return detail::last_error(status);
    return Viewer{viewer};
  }

  /// Not reachable, every link breaks and every join fails. As with LiveKit the robot's transport first tries to get
  /// its link back: SessionStats::reconnecting is true at once, the status is connecting after 16 s.
  void set_reachable(bool reachable) const noexcept {
    (void)telelink_test_server_set_reachable(handle_.get(), reachable ? 1 : 0);
  }

  /// Ends a participant's connection; a session joins again. For a viewer that is a new session of the robot: its
  /// subscriptions and its own channels are gone, and are made anew with subscribe() and advertise().
  Result<void> disconnect(std::string_view identity) const {
    return detail::check(telelink_test_server_disconnect(handle_.get(), detail::view(identity)));
  }

  /// Loses a share of the messages of lossy channels: 0 to 1.
  Result<void> set_loss(double share) const {
    return detail::check(telelink_test_server_set_loss(handle_.get(), share));
  }

  /// Delays everything on its way.
  Result<void> set_delay(std::chrono::milliseconds delay) const {
    return detail::check(telelink_test_server_set_delay(handle_.get(), detail::ms(delay)));
  }

 private:
  telelink::detail::Handle<telelink_test_server, telelink_test_server_free> handle_ = {};
};

}  // namespace telelink::testing

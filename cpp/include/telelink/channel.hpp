// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/schema.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace telelink {

/// How a channel's messages travel.
enum class Qos : std::int32_t {
  lossy = 0,     ///< the newest wins and losses are possible: for sensor data
  reliable = 1,  ///< all of it, in order: for logs, states, maps
};

/// A point in time: nanoseconds since the Unix epoch.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// Optional properties of a channel.
struct ChannelOptions {
  Qos qos = Qos::lossy;                              ///< how messages travel
  std::map<std::string, std::string> metadata = {};  ///< for the viewer's information
  bool video = true;                                 ///< false: an image channel is never watched as video
};

/// What there is to know about a channel. Owns nothing: lives as long as the Channel, or the callback that was given
/// it.
class ChannelView {
 public:
  /// Takes what C gave; borrows it.
  explicit ChannelView(const telelink_channel_info* info) noexcept : info_{info} {}

  /// From 1, unique in the process, never used again.
  std::uint64_t id() const noexcept { return telelink_channel_info_id(info_); }
  /// What the channel is about, for example "/battery".
  std::string_view topic() const noexcept { return detail::text(telelink_channel_info_topic(info_)); }
  /// Message encoding, for example "json".
  std::string_view encoding() const noexcept { return detail::text(telelink_channel_info_encoding(info_)); }
  /// How its messages travel, as its maker said; SessionOptions::qos may say otherwise for a session.
  Qos qos() const noexcept { return static_cast<Qos>(telelink_channel_info_qos(info_)); }
  /// Whether it was closed.
  bool is_closed() const noexcept { return telelink_channel_info_is_closed(info_); }

  /// What its messages mean, if that was said.
  std::optional<SchemaView> schema() const noexcept {
    telelink_schema schema = {};
    if (!telelink_channel_info_schema(info_, &schema)) return std::nullopt;
    return detail::schema_view(schema);
  }

  /// One entry of the metadata.
  std::optional<std::string_view> metadata(std::string_view key) const noexcept {
    telelink_str value = {};
    if (!telelink_channel_info_metadata(info_, detail::view(key), &value)) return std::nullopt;
    return detail::text(value);
  }

 private:
  const telelink_channel_info* info_;
};

/// A topic on which the robot logs messages. From Context::channel(). The destructor closes it.
///
/// Thread-safe: every method may be called from several threads at once, also from callbacks, and never blocks.
class Channel {
 public:
  /// Logs one message with the time now, for every viewer that wants it.
  ///
  /// While nobody is subscribed this costs a few nanoseconds. Dropped messages are counted in the session's statistics,
  /// and viewers are warned of those that were too large, so that a robot's loop need not look at the answer:
  /// Status::ok; Status::closed after close(); Status::null_argument when the channel was moved from, or for a payload
  /// of nullptr with a size.
  Status log(Bytes payload) const noexcept {
    return static_cast<Status>(telelink_channel_log(handle_.get(), detail::byte_view(payload)));
  }

  /// Logs one message with a time of your own; one before 1970 counts as 1970. Answers as log() above.
  Status log(Bytes payload, Time time) const noexcept {
    const auto ns = time.time_since_epoch().count();
    return static_cast<Status>(telelink_channel_log_at(handle_.get(), detail::byte_view(payload),
                                                       ns < 0 ? 0 : static_cast<std::uint64_t>(ns)));
  }

  /// Whether somebody wants messages now: lets you skip building one.
  bool is_wanted() const noexcept { return telelink_channel_is_wanted(handle_.get()); }

  /// Closes the channel: viewers see it go, later logs answer Status::closed. Closing again does nothing.
  void close() const noexcept { (void)telelink_channel_close(handle_.get()); }

  std::uint64_t id() const noexcept { return info().id(); }           ///< as ChannelView::id()
  std::string_view topic() const noexcept { return info().topic(); }  ///< as ChannelView::topic()

  /// Topic, encoding, schema, metadata. Valid while this object lives.
  ChannelView info() const noexcept { return ChannelView{telelink_channel_as_info(handle_.get())}; }

  /// The object of C behind this one.
  const telelink_channel* c() const noexcept { return handle_.get(); }

 private:
  friend class Context;
  explicit Channel(telelink_channel* channel) noexcept : handle_{channel} {}

  detail::Handle<telelink_channel, telelink_channel_free> handle_;
};

}  // namespace telelink

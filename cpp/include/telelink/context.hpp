// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/channel.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/schema.hpp>
#include <telelink/telelink.h>
#include <telelink/video.hpp>

#include <string_view>

namespace telelink {

/// A set of channels, and the sessions that carry what is logged to them. Most programs have one.
///
/// Channels and sessions made from it go on living when it is destroyed. Thread-safe.
class Context {
 public:
  Context() noexcept {
    telelink_context* context = nullptr;
    (void)telelink_context_create(&context);  // only a forked child fails here; the first call with it says so
    handle_.reset(context);
  }

  /// Opens a channel: viewers learn of it at once. Two channels of one topic are two channels.
  ///
  /// The content of schemas is not looked at here. A channel that viewers could not read (protobuf, flatbuffer, ros1 or
  /// cdr without a schema, a text schema that is not UTF-8) is opened all the same and recorded by an McapWriter, but
  /// viewers do not see it: each session says "the channel cannot be advertised" in the log, with topic and reason.
  ///
  /// @param topic    not empty, for example "/battery"
  /// @param format   json(), json_schema(..), protobuf(..), ros2msg(..), ...
  /// @param options  reliable or lossy, metadata
  /// @return the channel; Status::invalid_utf8 (topic, encoding, metadata, name of the schema) or Status::invalid_value
  ///         (an empty topic, something too long, a schema above 8 MiB among it), and the message says which
  Result<Channel> channel(std::string_view topic, const Format& format, const ChannelOptions& options = {}) const {
    telelink_channel_options c;
    if (const auto status = telelink_channel_options_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    const telelink_schema schema = detail::view(format.schema);
    const auto metadata = detail::pairs(options.metadata);
    c.encoding = detail::view(format.encoding);
    c.schema = format.has_schema ? &schema : nullptr;
    c.metadata = metadata.data();
    c.metadata_count = metadata.size();
    c.qos = static_cast<std::int32_t>(options.qos);
    c.no_video = options.video ? 0 : 1;
    telelink_channel* channel = nullptr;
    if (const auto status = telelink_channel_create(handle_.get(), detail::view(topic), &c, &channel);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return Channel{channel};
  }

  /// Opens an image channel that is pushed pictures instead of messages.
  ///
  /// @param topic    not empty, for example "/camera/front"
  /// @param options  what is pushed; coordinate frame
  /// @return the source; Status::invalid_value or Status::invalid_utf8, and the message says which argument
  Result<VideoSource> video_source(std::string_view topic, const VideoSourceOptions& options = {}) const {
    telelink_video_source_options c;
    if (const auto status = telelink_video_source_options_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    c.frame_id = detail::view(options.frame_id);
    c.kind = static_cast<std::int32_t>(options.kind);
    telelink_video_source* source = nullptr;
    if (const auto status = telelink_video_source_create(handle_.get(), detail::view(topic), &c, &source);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return VideoSource{source};
  }

  /// The object of C behind this one.
  const telelink_context* c() const noexcept { return handle_.get(); }

 private:
  detail::Handle<telelink_context, telelink_context_free> handle_ = {};
};

}  // namespace telelink

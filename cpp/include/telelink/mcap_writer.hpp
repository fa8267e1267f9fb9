// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/channel.hpp>
#include <telelink/context.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace telelink {

/// How the chunks of a file are compressed.
enum class McapCompression : std::int32_t {
  zstd = 0,  ///< Zstandard at its default level
  lz4 = 1,   ///< larger files for less work
  none = 2,  ///< not at all
};

/// When the writer waits until the storage device has the data. Each chunk is given to the operating system whole, so
/// it survives the end of the process in every case; this is about loss of power.
enum class McapSync : std::int32_t {
  never = 0,       ///< the operating system decides, as a rule within 30 s
  at_end = 1,      ///< when the file is finished
  each_chunk = 2,  ///< after each chunk too; on slow storage this costs throughput, never time in Channel::log()
};

/// What a writer is doing.
enum class McapStatus : std::int32_t {
  recording = 0,  ///< messages are taken and written
  closing = 1,    ///< closing was requested; what waits is being written
  closed = 2,     ///< the file is finished
  failed = 3,     ///< an error has ended the recording; the file can be read up to its last chunk
};

/// The name of a status, for people; "unknown" for a number that is none.
constexpr std::string_view to_string(McapStatus status) noexcept {
  switch (status) {
    case McapStatus::recording:
      return "recording";
    case McapStatus::closing:
      return "closing";
    case McapStatus::closed:
      return "closed";
    case McapStatus::failed:
      return "failed";
  }
  return "unknown";
}

/// How to make a recording. Needed is `path`.
struct McapWriterOptions {
  std::string path = {};                                  ///< the file; its folder must exist
  bool overwrite = false;                                 ///< replace a file, unless a writer records to it
  McapCompression compression = McapCompression::zstd;    ///< of the chunks
  McapSync sync = McapSync::at_end;                       ///< when data is forced to the storage device
  std::uint64_t chunk_size = 4u << 20;                    ///< bytes of messages that end a chunk, 1 KiB to 1 GiB
  std::chrono::milliseconds chunk_duration{1000};         ///< most that a crash can lose; 10 ms to 1 h
  std::uint64_t queue_messages = 65'536;                  ///< that may wait for the disk, 16 to 16,777,216
  std::uint64_t queue_bytes = 64u << 20;                  ///< their bytes, from 64 KiB; also the largest message
  std::string profile = {};                               ///< of the file: empty, "ros1" or "ros2"
  std::string library = {};                               ///< in the file's header; empty: "telelink" with its version
  std::function<bool(ChannelView)> channel_filter = {};   ///< is the channel recorded? Empty: all. One that throws: no
  std::function<void(const Error& error)> on_error = {};  ///< the recording has failed; on the thread `tl-mcap`, once
};

/// Figures of a writer since its start.
struct McapWriterStats {
  std::uint64_t messages = 0;          ///< taken from Channel::log()
  std::uint64_t bytes = 0;             ///< of their payloads
  std::uint64_t written_messages = 0;  ///< of these, in chunks that are in the file
  std::uint64_t dropped_messages = 0;  ///< the queue was full, or the recording failed
  std::uint64_t queued_messages = 0;   ///< wait for the writing thread now
  std::uint64_t queued_bytes = 0;      ///< their bytes
  std::uint64_t channels = 0;          ///< of the file
  std::uint64_t channels_refused = 0;  ///< left out because a file holds 65,535 at most
  std::uint64_t chunks = 0;            ///< in the file
  std::uint64_t file_bytes = 0;        ///< size of the file
};

/// Figures of one recorded channel. Channels that are equal in topic, encoding, schema and metadata are one channel of
/// the file.
struct McapChannelStats {
  std::uint64_t messages = 0;          ///< taken from Channel::log()
  std::uint64_t bytes = 0;             ///< of their payloads
  std::uint64_t dropped_messages = 0;  ///< each is a gap in the channel's sequence numbers
};

namespace detail {

/// What C asks and tells; `context` is one of these.
struct McapCallbacks {
  std::function<bool(ChannelView)> channel_filter;
  std::function<void(const Error&)> on_error;
};

template <class Mode>
struct McapTrampolines {
  /// A filter that throws leaves the channel out, as that of a session does.
  static bool channel_filter(void* context, const telelink_channel_info* channel) noexcept {
    return Contain<Mode>::run("channel_filter", false, [&] {
      return static_cast<McapCallbacks*>(context)->channel_filter(ChannelView{channel});
    });
  }

  static void on_error(void* context, telelink_status status, telelink_str message) noexcept {
    Contain<Mode>::run("on_error", [&] {
      static_cast<McapCallbacks*>(context)->on_error(Error{static_cast<Status>(status), std::string{text(message)}});
    });
  }
};

}  // namespace detail

/// Records the channels of a context to an MCAP file, beside whatever sessions there are: one Channel::log() feeds
/// both.
///
/// The destructor finishes the file and waits for that, 10 s at most; destroyed inside a callback, it does not wait,
/// and the rest is finished afterwards. close() says how it went. Thread-safe; everything may be called from callbacks
/// too.
class McapWriter {
 public:
  /// Opens the file and records everything that is logged to the context's channels from now on, existing ones and new
  /// ones.
  ///
  /// @return the writer; or why not: Status::duplicate (the file exists, or another writer records to it),
  ///         Status::io (the message says why), Status::invalid_value (it names the option), Status::not_supported (the
  ///         library was built without MCAP)
  template <class Mode = detail::Mode>
  static Result<McapWriter> start(const Context& context, McapWriterOptions options) {
    telelink_mcap_writer_options c;
    if (const auto status = telelink_mcap_writer_options_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    telelink_mcap_writer_callbacks callbacks;
    if (const auto status = telelink_mcap_writer_callbacks_init(&callbacks, sizeof callbacks);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    c.path = detail::view(options.path);
    c.overwrite = options.overwrite ? 1 : 0;
    c.compression = static_cast<std::int32_t>(options.compression);
    c.sync = static_cast<std::int32_t>(options.sync);
    c.chunk_size = options.chunk_size;
    c.chunk_duration_ms = detail::milliseconds(options.chunk_duration);
    c.queue_messages = options.queue_messages;
    c.queue_bytes = options.queue_bytes;
    c.profile = detail::view(options.profile);
    c.library = detail::view(options.library);
    using Trampolines = detail::McapTrampolines<Mode>;
    if (options.channel_filter) callbacks.channel_filter = &Trampolines::channel_filter;
    if (options.on_error) callbacks.on_error = &Trampolines::on_error;
    auto owned = std::make_unique<detail::McapCallbacks>(
        detail::McapCallbacks{std::move(options.channel_filter), std::move(options.on_error)});
    callbacks.context = owned.release();
    callbacks.drop = &detail::Contain<Mode>::template drop<detail::McapCallbacks>;
    c.callbacks = &callbacks;
    telelink_mcap_writer* writer = nullptr;
    if (const auto status = telelink_mcap_writer_create(context.c(), &c, &writer); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return McapWriter{writer};
  }

  /// Ends the recording: nothing that is logged later is in the file. Waits until the file is finished, at most
  /// `timeout`; 0 does not wait. Status::timeout when it took longer (it goes on), Status::io when the recording has
  /// failed.
  Result<void> close(std::chrono::milliseconds timeout = std::chrono::seconds{10}) const {
    return detail::check(telelink_mcap_writer_close(handle_.get(), detail::wait_milliseconds(timeout)));
  }

  /// Ends the chunk under way, and waits until all that was logged before is in the file. Status::timeout, Status::io,
  /// Status::closed.
  Result<void> flush(std::chrono::milliseconds timeout = std::chrono::seconds{10}) const {
    return detail::check(telelink_mcap_writer_flush(handle_.get(), detail::wait_milliseconds(timeout)));
  }

  /// What it is doing now.
  McapStatus status() const noexcept { return static_cast<McapStatus>(telelink_mcap_writer_status(handle_.get())); }

  /// Why the recording has failed, if it has.
  std::optional<Error> last_error() const {
    const auto status = telelink_mcap_writer_last_error(handle_.get());
    if (status == TELELINK_STATUS_OK) return std::nullopt;
    return detail::last_error(status);
  }

  /// Figures of the recording.
  Result<McapWriterStats> stats() const {
    telelink_mcap_writer_stats c;
    if (auto status = telelink_mcap_writer_stats_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    if (auto status = telelink_mcap_writer_stats_read(handle_.get(), &c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    McapWriterStats stats;
    stats.messages = c.messages;
    stats.bytes = c.bytes;
    stats.written_messages = c.written_messages;
    stats.dropped_messages = c.dropped_messages;
    stats.queued_messages = c.queued_messages;
    stats.queued_bytes = c.queued_bytes;
    stats.channels = c.channels;
    stats.channels_refused = c.channels_refused;
    stats.chunks = c.chunks;
    stats.file_bytes = c.file_bytes;
    return stats;
  }

  /// Figures of one channel. Status::not_found when it is not recorded.
  Result<McapChannelStats> stats(const Channel& channel) const {
    telelink_mcap_channel_stats c;
    if (auto status = telelink_mcap_channel_stats_init(&c, sizeof c); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    if (auto status = telelink_mcap_writer_channel_stats(handle_.get(), channel.c(), &c);
        status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return McapChannelStats{c.messages, c.bytes, c.dropped_messages};
  }

  /// The object of C behind this one.
  const telelink_mcap_writer* c() const noexcept { return handle_.get(); }

 private:
  explicit McapWriter(telelink_mcap_writer* writer) noexcept : handle_{writer} {}

  detail::Handle<telelink_mcap_writer, telelink_mcap_writer_free> handle_;
};

}  // namespace telelink

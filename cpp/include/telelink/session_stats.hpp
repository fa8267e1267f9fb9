// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/client.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace telelink {

/// Figures of one viewer.
struct ViewerStats {
  std::uint32_t client_id = 0;                                 ///< as ClientView::id()
  std::string identity = {};                                   ///< LiveKit identity
  std::uint64_t subscriptions = 0;                             ///< channels it is subscribed to
  std::uint64_t queue_frames = 0;                              ///< frames that wait for it
  std::uint64_t queue_bytes = 0;                               ///< bytes that wait for it
  std::uint64_t queue_frames_max = 0;                          ///< most frames that ever waited
  std::uint64_t queue_bytes_max = 0;                           ///< most bytes that ever waited
  std::uint64_t sent_frames = 0;                               ///< written to it so far
  std::uint64_t sent_bytes = 0;                                ///< written to it so far
  std::uint64_t resets = 0;                                    ///< resets of its connection so far
  std::optional<double> ping_rtt_latest_ms = std::nullopt;     ///< latest round trip of its pings
  std::optional<double> ping_rtt_ms = std::nullopt;            ///< mean round trip of its pings
  std::optional<double> ping_rtt_deviation_ms = std::nullopt;  ///< standard deviation of these
};

/// Figures of one channel's video.
struct VideoStats {
  bool active = false;              ///< somebody watches now
  std::uint64_t frames = 0;         ///< pictures logged while somebody watched
  std::uint64_t sent = 0;           ///< handed to the encoder
  std::uint64_t overwritten = 0;    ///< newer ones came before their conversion
  std::uint64_t failed = 0;         ///< could not be read, decoded or converted, too small or too large ones among them
  std::uint64_t not_published = 0;  ///< the track went away meanwhile, or no decoder could have started with them
  std::uint64_t refused = 0;        ///< the encoder refused them
  std::string encoder = {};         ///< name of the encoder in use; empty while nobody watches
  bool hardware = false;            ///< it says that it is hardware
  double frames_per_second = 0;     ///< sent
  std::uint64_t sent_bytes = 0;     ///< on the present track
  std::uint32_t width = 0;          ///< of the pictures sent: smaller than logged when the network is short
  std::uint32_t height = 0;         ///< as width
};

/// Figures of one channel since it was created.
struct ChannelStats {
  std::uint64_t channel_id = 0;           ///< as ChannelView::id()
  std::string topic = {};                 ///< topic of the channel
  std::uint64_t data_subscribers = 0;     ///< viewers subscribed to its messages
  std::uint64_t video_subscribers = 0;    ///< viewers subscribed to its video
  std::uint64_t reliable_messages = 0;    ///< given to control streams, once each
  std::uint64_t reliable_bytes = 0;       ///< their bytes
  std::uint64_t lossy_messages = 0;       ///< given to the data track
  std::uint64_t lossy_bytes = 0;          ///< their bytes
  std::uint64_t dropped_overwritten = 0;  ///< a newer message came before the network took them
  std::uint64_t dropped_not_ready = 0;    ///< logged before the data track was ready
  /// Lossy messages over Limits::max_data_track_message_size, reliable ones over 16 MiB - 17 bytes.
  std::uint64_t dropped_oversize = 0;
  std::uint64_t dropped_transport_full = 0;  ///< the network had no room
  std::uint64_t dropped_refused = 0;         ///< the network refused them for another reason
  VideoStats video = {};                     ///< its video
};

/// Figures of a session, all of one moment but ice_rtt_ms. Counts of messages are those since the session was started,
/// also of channels that are closed now.
struct SessionStats {
  std::chrono::milliseconds uptime{0};  ///< since the session was started
  std::uint64_t joins = 0;              ///< rooms entered so far; the first counts
  std::uint64_t reconnects = 0;         ///< links lost and got back without leaving the room
  bool reconnecting = false;            ///< a link is lost and tried to get back; status() is connected
  std::uint64_t viewers = 0;            ///< registered now
  std::uint64_t subscriptions = 0;      ///< of all viewers now
  std::uint64_t backlog_bytes = 0;      ///< waiting for all viewers now
  /// Round trip to the LiveKit server as ICE measures it, in steps of about 1 ms: 0 is less than that. Measured every
  /// 30 s, first 30 s after the session's start; unknown until then, and for up to 30 s in a new room.
  std::optional<double> ice_rtt_ms = std::nullopt;
  std::optional<double> ping_rtt_ms = std::nullopt;  ///< mean round trip of the viewers' pings
  std::uint64_t reliable_messages = 0;               ///< given to control streams, once each
  std::uint64_t reliable_bytes = 0;                  ///< their bytes
  std::uint64_t lossy_messages = 0;                  ///< given to data tracks
  std::uint64_t lossy_bytes = 0;                     ///< their bytes
  std::uint64_t dropped_overwritten = 0;             ///< a newer message came before the network took them
  std::uint64_t dropped_not_ready = 0;               ///< logged before their data track was ready
  /// Lossy messages over Limits::max_data_track_message_size, reliable ones over 16 MiB - 17 bytes.
  std::uint64_t dropped_oversize = 0;
  std::uint64_t dropped_transport_full = 0;   ///< the network had no room
  std::uint64_t dropped_refused = 0;          ///< the network refused them for another reason
  std::uint64_t dropped_incoming = 0;         ///< messages from viewers: on_message was too slow
  std::uint64_t discarded_incoming = 0;       ///< the same: waiting when control was lost, or the session ended
  std::uint64_t viewer_resets = 0;            ///< viewers that had to be reset, for both causes
  std::uint64_t overflow_resets = 0;          ///< of these, viewers that were too slow
  std::uint64_t write_failure_resets = 0;     ///< of these, viewers whose stream broke or stood still for 30 s
  std::vector<ViewerStats> by_viewer = {};    ///< each registered viewer
  std::vector<ChannelStats> by_channel = {};  ///< each channel that exists and had a subscriber
};

namespace detail {

/// All figures of a session at one moment, as C has them.
class SessionSnapshot {
 public:
  static Result<SessionSnapshot> of(const telelink_session* session) {
    telelink_session_snapshot* made = nullptr;
    if (const auto status = telelink_session_snapshot_create(session, &made); status != TELELINK_STATUS_OK) {
      return last_error(status);
    }
    return SessionSnapshot{made};
  }

  Result<SessionStats> stats() const {
    telelink_session_stats c;
    auto status = telelink_session_stats_init(&c, sizeof c);
    if (status == TELELINK_STATUS_OK) status = telelink_session_snapshot_stats(handle_.get(), &c);
    if (status != TELELINK_STATUS_OK) return last_error(status);
    SessionStats stats = sums(c);
    const auto viewers = telelink_session_snapshot_viewer_count(handle_.get());
    for (std::size_t index = 0; index < viewers; ++index) {
      telelink_viewer_stats viewer;
      status = telelink_viewer_stats_init(&viewer, sizeof viewer);
      if (status == TELELINK_STATUS_OK) status = telelink_session_snapshot_viewer(handle_.get(), index, &viewer);
      if (status != TELELINK_STATUS_OK) return last_error(status);
      stats.by_viewer.push_back(one(viewer));
    }
    const auto channels = telelink_session_snapshot_channel_count(handle_.get());
    for (std::size_t index = 0; index < channels; ++index) {
      telelink_channel_stats channel;
      status = telelink_channel_stats_init(&channel, sizeof channel);
      if (status == TELELINK_STATUS_OK) status = telelink_session_snapshot_channel(handle_.get(), index, &channel);
      if (status != TELELINK_STATUS_OK) return last_error(status);
      stats.by_channel.push_back(one(channel));
    }
    return stats;
  }

  Result<std::string> prometheus(const std::map<std::string, std::string>& labels) const {
    const auto views = pairs(labels);
    telelink_str page = {};
    const auto status = telelink_session_snapshot_prometheus(handle_.get(), views.data(), views.size(), &page);
    if (status != TELELINK_STATUS_OK) return last_error(status);
    return std::string{text(page)};
  }

 private:
  explicit SessionSnapshot(telelink_session_snapshot* snapshot) noexcept : handle_{snapshot} {}

  static std::optional<double> known(double ms) noexcept { return ms < 0 ? std::nullopt : std::optional<double>{ms}; }

  static SessionStats sums(const telelink_session_stats& c) {
    SessionStats stats;
    stats.uptime = std::chrono::milliseconds{c.uptime_ms};
    stats.joins = c.joins;
    stats.reconnects = c.reconnects;
    stats.reconnecting = c.reconnecting != 0;
    stats.viewers = c.viewers;
    stats.subscriptions = c.subscriptions;
    stats.backlog_bytes = c.backlog_bytes;
    stats.ice_rtt_ms = known(c.ice_rtt_ms);
    stats.ping_rtt_ms = known(c.ping_rtt_ms);
    stats.reliable_messages = c.reliable_messages;
    stats.reliable_bytes = c.reliable_bytes;
    stats.lossy_messages = c.lossy_messages;
    stats.lossy_bytes = c.lossy_bytes;
    stats.dropped_overwritten = c.dropped_overwritten;
    stats.dropped_not_ready = c.dropped_not_ready;
    stats.dropped_oversize = c.dropped_oversize;
    stats.dropped_transport_full = c.dropped_transport_full;
    stats.dropped_refused = c.dropped_refused;
    stats.dropped_incoming = c.dropped_incoming;
    stats.discarded_incoming = c.discarded_incoming;
    stats.viewer_resets = c.viewer_resets;
    stats.overflow_resets = c.overflow_resets;
    stats.write_failure_resets = c.write_failure_resets;
    return stats;
  }

  static ViewerStats one(const telelink_viewer_stats& c) {
    ViewerStats viewer;
    viewer.client_id = ClientView{c.client}.id();
    viewer.identity = std::string{ClientView{c.client}.identity()};
    viewer.subscriptions = c.subscriptions;
    viewer.queue_frames = c.queue_frames;
    viewer.queue_bytes = c.queue_bytes;
    viewer.queue_frames_max = c.queue_frames_max;
    viewer.queue_bytes_max = c.queue_bytes_max;
    viewer.sent_frames = c.sent_frames;
    viewer.sent_bytes = c.sent_bytes;
    viewer.resets = c.resets;
    viewer.ping_rtt_latest_ms = known(c.ping_rtt_latest_ms);
    viewer.ping_rtt_ms = known(c.ping_rtt_ms);
    viewer.ping_rtt_deviation_ms = known(c.ping_rtt_deviation_ms);
    return viewer;
  }

  static ChannelStats one(const telelink_channel_stats& c) {
    ChannelStats channel;
    channel.channel_id = c.channel_id;
    channel.topic = std::string{text(c.topic)};
    channel.data_subscribers = c.data_subscribers;
    channel.video_subscribers = c.video_subscribers;
    channel.reliable_messages = c.reliable_messages;
    channel.reliable_bytes = c.reliable_bytes;
    channel.lossy_messages = c.lossy_messages;
    channel.lossy_bytes = c.lossy_bytes;
    channel.dropped_overwritten = c.dropped_overwritten;
    channel.dropped_not_ready = c.dropped_not_ready;
    channel.dropped_oversize = c.dropped_oversize;
    channel.dropped_transport_full = c.dropped_transport_full;
    channel.dropped_refused = c.dropped_refused;
    VideoStats& video = channel.video;
    video.active = c.video_active != 0;
    video.frames = c.video_frames;
    video.sent = c.video_sent;
    video.overwritten = c.video_overwritten;
    video.failed = c.video_failed;
    video.not_published = c.video_not_published;
    video.refused = c.video_refused;
    video.encoder = std::string{detail::text(c.video_encoder)};
    video.hardware = c.video_hardware != 0;
    video.frames_per_second = c.video_frames_per_second;
    video.sent_bytes = c.video_sent_bytes;
    video.width = c.video_width;
    video.height = c.video_height;
    return channel;
  }

  Handle<telelink_session_snapshot, telelink_session_snapshot_free> handle_;
};

}  // namespace detail
}  // namespace telelink

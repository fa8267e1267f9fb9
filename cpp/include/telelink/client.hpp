// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/bytes.hpp>
#include <telelink/channel.hpp>
#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/schema.hpp>
#include <telelink/telelink.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink {

/// A viewer, as callbacks see it. Owns nothing: valid during the callback.
class ClientView {
 public:
  /// Takes what C gave; borrows it.
  explicit ClientView(const telelink_client* client) noexcept : client_{client} {}

  /// Number of this registration, from 1. A viewer that returns gets a new one.
  std::uint32_t id() const noexcept { return telelink_client_id(client_); }
  /// LiveKit identity: the same when the viewer returns.
  std::string_view identity() const noexcept { return detail::text(telelink_client_identity(client_)); }
  /// LiveKit SID of this connection.
  std::string_view sid() const noexcept { return detail::text(telelink_client_sid(client_)); }
  /// Display name, may be empty.
  std::string_view name() const noexcept { return detail::text(telelink_client_name(client_)); }
  /// When it joined the room, by the server's clock.
  Time joined_at() const noexcept { return Time{std::chrono::milliseconds{telelink_client_joined_at_ms(client_)}}; }

  /// One LiveKit attribute, as it was when the viewer registered.
  std::optional<std::string_view> attribute(std::string_view key) const noexcept {
    telelink_str value = {};
    if (!telelink_client_attribute(client_, detail::view(key), &value)) return std::nullopt;
    return detail::text(value);
  }

  /// All LiveKit attributes, as they were when the viewer registered, in order of their keys.
  std::vector<std::pair<std::string_view, std::string_view>> attributes() const {
    std::vector<std::pair<std::string_view, std::string_view>> all(telelink_client_attribute_count(client_));
    for (std::size_t index = 0; index < all.size(); ++index) {
      telelink_pair pair = {};
      if (telelink_client_attribute_at(client_, index, &pair)) {
        all[index] = {detail::text(pair.key), detail::text(pair.value)};
      }
    }
    return all;
  }

  /// The object of C behind this one.
  const telelink_client* c() const noexcept { return client_; }

 private:
  const telelink_client* client_;
};

/// A viewer's description, kept. From Session::client() or made from a ClientView.
class Client {
 public:
  /// Copies what a callback was given.
  static Result<Client> copy(ClientView client) {
    telelink_client* copy = nullptr;
    if (const auto status = telelink_client_clone(client.c(), &copy); status != TELELINK_STATUS_OK) {
      return detail::last_error(status);
    }
    return Client{copy};
  }

  ClientView view() const noexcept { return ClientView{handle_.get()}; }    ///< valid while this object lives
  std::uint32_t id() const noexcept { return view().id(); }                 ///< as ClientView::id()
  std::string_view identity() const noexcept { return view().identity(); }  ///< as ClientView::identity()
  std::string_view sid() const noexcept { return view().sid(); }            ///< as ClientView::sid()
  std::string_view name() const noexcept { return view().name(); }          ///< as ClientView::name()
  Time joined_at() const noexcept { return view().joined_at(); }            ///< as ClientView::joined_at()
  /// As ClientView::attribute().
  std::optional<std::string_view> attribute(std::string_view key) const noexcept { return view().attribute(key); }
  /// As ClientView::attributes().
  std::vector<std::pair<std::string_view, std::string_view>> attributes() const { return view().attributes(); }

 private:
  friend class Session;
  explicit Client(telelink_client* client) noexcept : handle_{client} {}

  detail::Handle<telelink_client, telelink_client_free> handle_;
};

/// A channel that a viewer publishes on. Owns nothing: valid during the callback.
class ClientChannelView {
 public:
  /// Takes what C gave; borrows it.
  explicit ClientChannelView(const telelink_client_channel* channel) noexcept : channel_{channel} {}

  /// Chosen by the viewer, unique for it.
  std::uint32_t id() const noexcept { return telelink_client_channel_id(channel_); }
  /// May equal a topic of the robot.
  std::string_view topic() const noexcept { return detail::text(telelink_client_channel_topic(channel_)); }
  /// Message encoding that the viewer uses.
  std::string_view encoding() const noexcept { return detail::text(telelink_client_channel_encoding(channel_)); }

  /// What its messages mean, if the viewer said so.
  std::optional<SchemaView> schema() const noexcept {
    telelink_schema schema = {};
    if (!telelink_client_channel_schema(channel_, &schema)) return std::nullopt;
    return detail::schema_view(schema);
  }

 private:
  const telelink_client_channel* channel_;
};

/// A message from a viewer. Owns nothing: valid during the callback.
struct ClientMessage {
  Bytes payload = {};      ///< the bytes
  Time receive_time = {};  ///< when it arrived
};

}  // namespace telelink

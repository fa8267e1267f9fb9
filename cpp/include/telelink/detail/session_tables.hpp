// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/asset.hpp>
#include <telelink/channel.hpp>
#include <telelink/client.hpp>
#include <telelink/detail/callback.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/lease.hpp>
#include <telelink/parameter.hpp>
#include <telelink/rights.hpp>
#include <telelink/service.hpp>
#include <telelink/session_options.hpp>
#include <telelink/telelink.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telelink::detail {

/// What C calls for the events of a session; `context` is a SessionCallbacks.
template <class Mode>
struct SessionTrampolines {
  static SessionCallbacks& self(void* context) noexcept { return *static_cast<SessionCallbacks*>(context); }

  static void on_status(void* context, telelink_connection_status status, telelink_status reason,
                        telelink_str message) noexcept {
    Contain<Mode>::run("on_status", [&] {
      const auto now = static_cast<ConnectionStatus>(status);
      if (reason == TELELINK_STATUS_OK) {
        self(context).on_status(now, nullptr);
      } else {
        const Error error{static_cast<Status>(reason), std::string{text(message)}};
        self(context).on_status(now, &error);
      }
    });
  }

  static void on_subscribe(void* context, const telelink_client* client,
                           const telelink_channel_info* channel) noexcept {
    Contain<Mode>::run("on_subscribe", [&] { self(context).on_subscribe(ClientView{client}, ChannelView{channel}); });
  }

  static void on_unsubscribe(void* context, const telelink_client* client,
                             const telelink_channel_info* channel) noexcept {
    Contain<Mode>::run("on_unsubscribe",
                       [&] { self(context).on_unsubscribe(ClientView{client}, ChannelView{channel}); });
  }

  static void on_client_advertise(void* context, const telelink_client* client,
                                  const telelink_client_channel* channel) noexcept {
    Contain<Mode>::run("on_client_advertise",
                       [&] { self(context).on_client_advertise(ClientView{client}, ClientChannelView{channel}); });
  }

  static void on_client_unadvertise(void* context, const telelink_client* client,
                                    const telelink_client_channel* channel) noexcept {
    Contain<Mode>::run("on_client_unadvertise",
                       [&] { self(context).on_client_unadvertise(ClientView{client}, ClientChannelView{channel}); });
  }

  static void on_message(void* context, const telelink_client* client, const telelink_client_channel* channel,
                         const telelink_client_message* message) noexcept {
    Contain<Mode>::run("on_message", [&] {
      const ClientMessage view{bytes(message->payload), Time{std::chrono::nanoseconds{message->receive_time_ns}}};
      self(context).on_message(ClientView{client}, ClientChannelView{channel}, view);
    });
  }

  static void on_connection_graph_subscribe(void* context, const telelink_client* client) noexcept {
    Contain<Mode>::run("on_connection_graph_subscribe",
                       [&] { self(context).on_connection_graph_subscribe(ClientView{client}); });
  }

  static void on_connection_graph_unsubscribe(void* context, const telelink_client* client) noexcept {
    Contain<Mode>::run("on_connection_graph_unsubscribe",
                       [&] { self(context).on_connection_graph_unsubscribe(ClientView{client}); });
  }

  static void on_parameters_subscribe(void* context, const telelink_str* names, std::size_t count) noexcept {
    Contain<Mode>::run("on_parameters_subscribe",
                       [&] { self(context).on_parameters_subscribe(strings(names, count)); });
  }

  static void on_parameters_unsubscribe(void* context, const telelink_str* names, std::size_t count) noexcept {
    Contain<Mode>::run("on_parameters_unsubscribe",
                       [&] { self(context).on_parameters_unsubscribe(strings(names, count)); });
  }

  static void on_get_parameters(void* context, const telelink_client* client, telelink_str request_id,
                                const telelink_str* names, std::size_t count,
                                const telelink_parameter_answer* answer) noexcept {
    Contain<Mode>::run("on_get_parameters", [&] {
      const GetParametersRequest request{ClientView{client}, optional_text(request_id), strings(names, count)};
      give(answer, self(context).on_get_parameters(request), "on_get_parameters");
    });
  }

  static void on_set_parameters(void* context, const telelink_client* client, telelink_str request_id,
                                const telelink_parameter* wanted, std::size_t count,
                                const telelink_parameter_answer* answer) noexcept {
    Contain<Mode>::run("on_set_parameters", [&] {
      const SetParametersRequest request{ClientView{client}, optional_text(request_id), parameters(wanted, count)};
      give(answer, self(context).on_set_parameters(request), "on_set_parameters");
    });
  }

 private:
  static void give(const telelink_parameter_answer* answer, const std::vector<Parameter>& values, const char* where) {
    const ParameterTables tables{values};
    if (telelink_parameter_answer_set(answer, tables.data(), tables.size()) != TELELINK_STATUS_OK) {
      std::fprintf(stderr, "telelink: %s gave an answer that cannot be sent: %s\n", where,
                   telelink_last_error_message());
    }
  }
};

/// The decisions about channels and viewers of one session.
struct Policy {
  std::function<bool(ChannelView)> channel_filter;
  std::function<Qos(ChannelView)> qos;
  std::function<bool(ClientView, Action, std::string_view)> authorize;
  std::function<bool(ChannelView)> suppress_video;
};

using TokenCallback = std::function<Result<std::string>()>;

/// What C asks about channels and viewers, and for tokens.
template <class Mode>
struct QuestionTrampolines {
  /// A filter that throws hides the channel: showing what should be hidden is the worse mistake.
  static bool channel_filter(void* context, const telelink_channel_info* channel) noexcept {
    return Contain<Mode>::run("channel_filter", false,
                              [&] { return static_cast<Policy*>(context)->channel_filter(ChannelView{channel}); });
  }

  static std::int32_t qos(void* context, const telelink_channel_info* channel) noexcept {
    constexpr std::int32_t as_the_channel_says = -1;
    return Contain<Mode>::run("qos", as_the_channel_says, [&] {
      return static_cast<std::int32_t>(static_cast<Policy*>(context)->qos(ChannelView{channel}));
    });
  }

  /// What throws refuses.
  static bool authorize(void* context, const telelink_client* client, telelink_action action,
                        telelink_str subject) noexcept {
    return Contain<Mode>::run("authorize", false, [&] {
      return static_cast<Policy*>(context)->authorize(ClientView{client}, static_cast<Action>(action), text(subject));
    });
  }

  /// One that throws suppresses nothing: the channel is there either way.
  static bool suppress_video(void* context, const telelink_channel_info* channel) noexcept {
    return Contain<Mode>::run("suppress_video", false,
                              [&] { return static_cast<Policy*>(context)->suppress_video(ChannelView{channel}); });
  }

  static void on_token(void* context, const telelink_token_request* request) noexcept {
    Contain<Mode>::run("token_callback", [&] {
      const Result<std::string> token = (*static_cast<TokenCallback*>(context))();
      if (token) {
        (void)telelink_token_request_set(request, view(*token));
      } else {
        (void)telelink_token_request_fail(request, view(token.error().message));
      }
    });
  }
};

/// Options as C wants them. C takes over the callbacks with the call that is given them, also when it fails.
template <class Mode>
class SessionTables {
 public:
  explicit SessionTables(SessionOptions options)
      : options_{std::move(options)},
        metadata_{pairs(options_.metadata)},
        encodings_{views(options_.supported_encodings)},
        services_{std::move(options_.services)},
        assets_{std::move(options_.asset_handler), std::move(options_.asset_folder)},
        lease_{std::move(options_.control_lease)},
        callbacks_{std::make_unique<SessionCallbacks>(std::move(options_.callbacks))},
        policy_{std::make_unique<Policy>(Policy{std::move(options_.channel_filter), std::move(options_.qos),
                                                std::move(options_.authorize), std::move(options_.suppress_video)})},
        token_callback_{std::make_unique<TokenCallback>(std::move(options_.token_callback))},
        parameter_handler_{options_.parameter_handler
                               ? std::make_unique<ParameterHandler>(*std::move(options_.parameter_handler))
                               : nullptr} {
    // An `_init` fails only when header and library differ; then the call that is given the struct says so.
    (void)telelink_session_options_init(&c_, sizeof c_);
    (void)telelink_session_callbacks_init(&callbacks_c_, sizeof callbacks_c_);
    (void)telelink_session_policy_init(&policy_c_, sizeof policy_c_);
    (void)telelink_token_callbacks_init(&token_c_, sizeof token_c_);
    (void)telelink_api_key_init(&key_c_, sizeof key_c_);
    (void)telelink_parameter_handler_init(&parameters_c_, sizeof parameters_c_);
    fill_texts();
    fill_key();
    fill_limits();
    fill_ice_servers();
    fill_callbacks();
    if (options_.rights) rights_.fill(*options_.rights, c_);
    fill_parameters();
  }

  SessionTables(const SessionTables&) = delete;
  SessionTables& operator=(const SessionTables&) = delete;

  /// The options, with the callbacks given away. Call it inside the call to C.
  const telelink_session_options* release() noexcept {
    c_.services_count = services_.size();
    c_.services = services_.release();
    assets_.release(c_);
    lease_.release(c_);
    callbacks_c_.context = callbacks_.release();
    callbacks_c_.drop = &Contain<Mode>::template drop<SessionCallbacks>;
    if (c_.policy != nullptr) {
      policy_c_.context = policy_.release();
      policy_c_.drop = &Contain<Mode>::template drop<Policy>;
    }
    if (c_.token_callbacks != nullptr) {
      token_c_.context = token_callback_.release();
      token_c_.drop = &Contain<Mode>::template drop<TokenCallback>;
    }
    if (c_.parameter_handler != nullptr) {
      parameters_c_.context = parameter_handler_.release();
      parameters_c_.drop = &Contain<Mode>::template drop<ParameterHandler>;
    }
    return &c_;
  }

 private:
  void fill_texts() {
    c_.url = view(options_.url);
    c_.token = view(options_.token);
    c_.name = view(options_.name);
    c_.session_id = view(options_.session_id);
    c_.livekit_library = view(options_.livekit_library);
    c_.metadata = metadata_.data();
    c_.metadata_count = metadata_.size();
    c_.supported_encodings = encodings_.data();
    c_.supported_encodings_count = encodings_.size();
    c_.capabilities = static_cast<std::uint32_t>(options_.capabilities);
    c_.auto_reconnect = options_.auto_reconnect ? 1 : 0;
    c_.idle_window_ms = milliseconds(options_.idle_window);
    c_.after_idle = static_cast<std::int32_t>(options_.after_idle);
    c_.video_codec = static_cast<std::int32_t>(options_.video.codec);
    c_.video_encoder = static_cast<std::int32_t>(options_.video.encoder);
    c_.video_max_bitrate = options_.video.max_bitrate;
    c_.video_max_framerate = options_.video.max_framerate;
    c_.video_capture_times = static_cast<std::int32_t>(options_.video.capture_times);
    c_.request_timeout_ms = milliseconds(options_.request_timeout);
  }

  void fill_key() {
    if (!options_.api_key) return;
    const ApiKey& key = *options_.api_key;
    attributes_ = pairs(key.attributes);
    key_c_.key = view(key.key);
    key_c_.secret = view(key.secret);
    key_c_.room = view(key.room);
    key_c_.identity = view(key.identity);
    key_c_.ttl_s = key.ttl.count() < 0 ? 0 : static_cast<std::uint64_t>(key.ttl.count());
    key_c_.attributes = attributes_.data();
    key_c_.attributes_count = attributes_.size();
    c_.api_key = &key_c_;
  }

  void fill_limits() noexcept {
    const Limits& limits = options_.limits;
    c_.message_backlog_size = limits.message_backlog_size;
    c_.message_backlog_bytes = limits.message_backlog_bytes;
    c_.session_backlog_bytes = limits.session_backlog_bytes;
    c_.max_data_track_message_size = limits.max_data_track_message_size;
    c_.eager_data_tracks = limits.eager_data_tracks;
    c_.latch_data_tracks = limits.latch_data_tracks ? 1 : 0;
    c_.max_viewers = limits.max_viewers;
  }

  void fill_ice_servers() {
    ice_urls_.reserve(options_.ice_servers.size());  // pointers into it stay valid
    for (const auto& server : options_.ice_servers) {
      ice_urls_.push_back(views(server.urls));
      ice_.push_back(telelink_ice_server{ice_urls_.back().data(), ice_urls_.back().size(), view(server.username),
                                         view(server.password)});
    }
    c_.ice_servers = ice_.data();
    c_.ice_servers_count = ice_.size();
  }

  void fill_callbacks() noexcept {
    using Events = SessionTrampolines<Mode>;
    if (callbacks_->on_status) callbacks_c_.on_status = &Events::on_status;
    if (callbacks_->on_subscribe) callbacks_c_.on_subscribe = &Events::on_subscribe;
    if (callbacks_->on_unsubscribe) callbacks_c_.on_unsubscribe = &Events::on_unsubscribe;
    if (callbacks_->on_client_advertise) callbacks_c_.on_client_advertise = &Events::on_client_advertise;
    if (callbacks_->on_client_unadvertise) callbacks_c_.on_client_unadvertise = &Events::on_client_unadvertise;
    if (callbacks_->on_message) callbacks_c_.on_message = &Events::on_message;
    if (callbacks_->on_connection_graph_subscribe) {
      callbacks_c_.on_connection_graph_subscribe = &Events::on_connection_graph_subscribe;
    }
    if (callbacks_->on_connection_graph_unsubscribe) {
      callbacks_c_.on_connection_graph_unsubscribe = &Events::on_connection_graph_unsubscribe;
    }
    if (callbacks_->on_parameters_subscribe) callbacks_c_.on_parameters_subscribe = &Events::on_parameters_subscribe;
    if (callbacks_->on_parameters_unsubscribe) {
      callbacks_c_.on_parameters_unsubscribe = &Events::on_parameters_unsubscribe;
    }
    if (callbacks_->on_get_parameters) callbacks_c_.on_get_parameters = &Events::on_get_parameters;
    if (callbacks_->on_set_parameters) callbacks_c_.on_set_parameters = &Events::on_set_parameters;
    c_.callbacks = &callbacks_c_;

    using Questions = QuestionTrampolines<Mode>;
    if (policy_->channel_filter) policy_c_.channel_filter = &Questions::channel_filter;
    if (policy_->qos) policy_c_.qos = &Questions::qos;
    if (policy_->authorize) policy_c_.authorize = &Questions::authorize;
    if (policy_->suppress_video) policy_c_.suppress_video = &Questions::suppress_video;
    if (policy_->channel_filter || policy_->qos || policy_->authorize || policy_->suppress_video)
      c_.policy = &policy_c_;
    token_c_.on_token = &Questions::on_token;
    if (*token_callback_) c_.token_callbacks = &token_c_;
  }

  void fill_parameters() noexcept {
    if (options_.parameter_store) c_.parameter_store = options_.parameter_store->c();
    if (parameter_handler_ == nullptr) return;
    using Requests = ParameterTrampolines<Mode>;
    if (parameter_handler_->get) parameters_c_.on_get = &Requests::on_get;
    if (parameter_handler_->set) parameters_c_.on_set = &Requests::on_set;
    c_.parameter_handler = &parameters_c_;
  }

  SessionOptions options_;
  std::vector<telelink_pair> metadata_;
  std::vector<telelink_str> encodings_;
  ServiceTables<Mode> services_;
  AssetTables<Mode> assets_;
  LeaseTables<Mode> lease_;
  std::unique_ptr<SessionCallbacks> callbacks_;
  std::unique_ptr<Policy> policy_;
  std::unique_ptr<TokenCallback> token_callback_;
  std::unique_ptr<ParameterHandler> parameter_handler_;
  std::vector<telelink_pair> attributes_ = {};
  std::vector<std::vector<telelink_str>> ice_urls_ = {};
  std::vector<telelink_ice_server> ice_ = {};
  RightsTables rights_ = {};
  telelink_session_options c_ = {};
  telelink_session_callbacks callbacks_c_ = {};
  telelink_session_policy policy_c_ = {};
  telelink_token_callbacks token_c_ = {};
  telelink_api_key key_c_ = {};
  telelink_parameter_handler parameters_c_ = {};
};

}  // namespace telelink::detail

// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/asset.hpp>
#include <telelink/channel.hpp>
#include <telelink/client.hpp>
#include <telelink/lease.hpp>
#include <telelink/parameter.hpp>
#include <telelink/parameter_store.hpp>
#include <telelink/result.hpp>
#include <telelink/rights.hpp>
#include <telelink/service.hpp>
#include <telelink/video.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telelink {

/// State of a session's connection.
///
/// A link that is lost without a word is noticed within 15 s; then the transport tries to get it back, for 16 s where
/// connections are refused, some 110 s where packets vanish, at most 3 min. All that time the status stays connected;
/// once the loss is noticed, SessionStats::reconnecting and the log say so (docs/reliability.md).
enum class ConnectionStatus : std::int32_t {
  connecting = 0,     ///< trying to get into a room, for the first time or again
  connected = 1,      ///< in a room
  shutting_down = 2,  ///< closing was requested; callbacks may still be running
  shutdown = 3,       ///< finished: no event will start any more
};

/// The name of a connection status, for people: "connecting", "connected", "shutting down", "shutdown"; "unknown" for a
/// number that the library does not know.
inline std::string_view to_string(ConnectionStatus status) noexcept {
  return telelink_connection_status_name(static_cast<std::int32_t>(status));
}

/// What viewers may do. Combine with `|`.
enum class Capabilities : std::uint32_t {
  none = 0,
  client_publish = 1,    ///< advertise channels and publish on them
  parameters = 2,        ///< read and write parameters
  services = 4,          ///< call services; implied by a service in the options
  connection_graph = 8,  ///< follow the connection graph
  assets = 16,           ///< fetch assets; implied by an asset handler or folder, and needs one
};

/// Both.
constexpr Capabilities operator|(Capabilities a, Capabilities b) noexcept {
  return static_cast<Capabilities>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
/// What is in both; Capabilities::none when nothing is.
constexpr Capabilities operator&(Capabilities a, Capabilities b) noexcept {
  return static_cast<Capabilities>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
/// Adds `b`.
constexpr Capabilities& operator|=(Capabilities& a, Capabilities b) noexcept {
  return a = a | b;
}

/// Events of one session; set those that you want.
///
/// They run one after another, in order, on a thread of the session, and may call anything of telelink, also close or
/// destroy their session. A slow one delays the following ones and nothing else. Arguments are valid during the
/// callback. What a callback throws is reported on standard error and goes no further. The functions are destroyed,
/// exactly once, when none of them can run any more.
struct SessionCallbacks {
  /// The connection changed; `reason` is null, or why. While joining fails again and again, `connecting` is told again
  /// for each other reason.
  std::function<void(ConnectionStatus status, const Error* reason)> on_status = {};
  /// A viewer subscribed to a channel it was not subscribed to.
  std::function<void(ClientView client, ChannelView channel)> on_subscribe = {};
  /// A subscription ended: by the viewer, its leaving, or the channel's closing.
  std::function<void(ClientView client, ChannelView channel)> on_unsubscribe = {};
  /// A viewer advertised a channel of its own.
  std::function<void(ClientView client, ClientChannelView channel)> on_client_advertise = {};
  /// A channel of a viewer is gone.
  std::function<void(ClientView client, ClientChannelView channel)> on_client_unadvertise = {};
  /// A viewer published a message. Messages that wait for it are discarded, and counted, when the session ends, and
  /// when the control lease under which they were published does (ControlLease::on_lost).
  std::function<void(ClientView client, ClientChannelView channel, const ClientMessage& message)> on_message = {};
  /// The first viewer follows the connection graph: from now on publishing it is worth the work.
  std::function<void(ClientView client)> on_connection_graph_subscribe = {};
  /// The last viewer that followed the connection graph does no longer: by itself or its leaving.
  std::function<void(ClientView client)> on_connection_graph_unsubscribe = {};
  /// These parameters have their first subscriber among the viewers.
  std::function<void(const std::vector<std::string>& names)> on_parameters_subscribe = {};
  /// These parameters have lost their last subscriber.
  std::function<void(const std::vector<std::string>& names)> on_parameters_unsubscribe = {};
  /// A viewer asks for parameters: answers with them. Only without SessionOptions::parameter_store and
  /// parameter_handler, which are the better way: they can answer later. This and on_set_parameters run on handler
  /// threads of the session, beside the events. Default: the viewer gets an error.
  std::function<std::vector<Parameter>(const GetParametersRequest& request)> on_get_parameters = {};
  /// A viewer sets parameters: answers with what is stored now, which all viewers that follow them get too. Otherwise
  /// as on_get_parameters. Default: nothing is set.
  std::function<std::vector<Parameter>(const SetParametersRequest& request)> on_set_parameters = {};
};

/// A LiveKit API key pair: the library makes a fresh token for every join. What is empty comes from the environment.
struct ApiKey {
  std::string key = {};                                ///< empty: LIVEKIT_API_KEY
  std::string secret = {};                             ///< never logged; empty: LIVEKIT_API_SECRET
  std::string room = {};                               ///< room to join; empty: TELELINK_ROOM
  std::string identity = {};                           ///< identity to join as; empty: TELELINK_IDENTITY
  std::chrono::seconds ttl = std::chrono::hours{6};    ///< life time of each token: 1 min to 30 days
  std::map<std::string, std::string> attributes = {};  ///< LiveKit attributes of the participant
};

/// One STUN or TURN server.
struct IceServer {
  std::vector<std::string> urls = {};  ///< `stun:`, `stuns:`, `turn:` and `turns:` URLs, at least one
  std::string username = {};           ///< required for TURN
  std::string password = {};           ///< required for TURN; never logged
};

/// What a session does when SessionOptions::idle_window has passed and it has left its room.
enum class AfterIdle : std::int32_t {
  wait = 0,  ///< it is connecting, with the reason Status::idle, until Session::resume() makes it join again
  end = 1,   ///< it ends: shutdown, with the reason Status::idle
};

/// What a slow or hostile viewer can cost.
struct Limits {
  std::size_t message_backlog_size = 16'384;       ///< control frames that wait for one viewer: 16 to 1,048,576
  std::size_t message_backlog_bytes = 32u << 20;   ///< bytes that wait for one viewer: from 1 MiB
  std::size_t session_backlog_bytes = 256u << 20;  ///< bytes that wait for all viewers together
  /// Largest message of a lossy channel: 1,200 to 16 MiB. A larger one is dropped, counted, and its subscribers are
  /// warned; so is one of a reliable channel over 16 MiB - 17 bytes.
  std::size_t max_data_track_message_size = 102'400;
  std::size_t eager_data_tracks = 64;  ///< lossy channels published before anybody subscribes
  /// Keep the newest message of a lossy channel that is logged while its data track is being published, and send it
  /// first. Without it such messages are dropped and counted.
  bool latch_data_tracks = false;
  std::size_t max_viewers = 64;  ///< viewers served at a time: 1 to 1,024
};

/// How to start a session. Needed are `url` and one of `token`, `token_callback` and `api_key`, here or in the
/// environment (docs/environment.md). What is set here wins over the environment.
struct SessionOptions {
  /// `ws://` or `wss://` address of the LiveKit server (`http://` and `https://` mean the same), or
  /// telelink::testing::Server::url(). Empty: LIVEKIT_URL.
  std::string url = {};

  /// One access token for every join. Never logged. Without this and the next two: LIVEKIT_TOKEN, or else
  /// LIVEKIT_API_KEY, LIVEKIT_API_SECRET, TELELINK_ROOM and TELELINK_IDENTITY.
  std::string token = {};
  /// Or: asked for a token before every join, on a thread of its own; may block up to 30 s. Failures are tried again. A
  /// later answer is dropped, and until it has returned attempts fail and nothing is asked.
  std::function<Result<std::string>()> token_callback = {};
  /// Or: a key pair to make tokens with.
  std::optional<ApiKey> api_key = std::nullopt;

  std::string name = {};        ///< of the robot, shown to viewers, up to 1,024 bytes; empty: TELELINK_NAME
  std::string session_id = {};  ///< shown to viewers, up to 1,024 bytes
  std::map<std::string, std::string> metadata = {};  ///< shown to viewers; names and values together up to 64 KiB

  Capabilities capabilities = Capabilities::none;  ///< what viewers may do
  /// Encodings of messages and calls that the robot reads, for example "json": a hint for viewers, who may publish in
  /// others all the same, and what a service without `request` accepts. Together up to 16 KiB, those of the services'
  /// requests included.
  std::vector<std::string> supported_encodings = {};
  /// Offered from the start. Of equal names the last counts, with a warning in the log. One that viewers cannot be
  /// shown is left out, and the log says why: add_services().
  std::vector<Service> services = {};

  /// Serves files to viewers as assets.
  std::optional<AssetFolder> asset_folder = std::nullopt;
  /// Serves assets; with an asset_folder, those that the folder does not know. Runs on threads of the session, up to 32
  /// requests at once; it may block, or keep the responder and return. An exception that leaves it is reported on
  /// standard error, and the viewer gets an error.
  std::function<void(const AssetRequest&, AssetResponder)> asset_handler = {};
  /// A parameter or asset request that is unanswered for so long fails; its place is free again, and a later answer
  /// goes nowhere. 0: no limit; a negative one is refused. Services have their own, Service::timeout.
  std::chrono::milliseconds request_timeout{0};

  SessionCallbacks callbacks = {};  ///< events

  /// Do viewers see this channel? Asked once per channel on the thread that creates it or starts the session. Default:
  /// all.
  std::function<bool(ChannelView channel)> channel_filter = {};
  /// How do this channel's messages travel? Asked like channel_filter. Default: as each channel says itself.
  std::function<Qos(ChannelView channel)> qos = {};
  /// Is this image channel delivered as messages only, never as video? Asked like channel_filter, for channels that
  /// could be video. Default: none is.
  std::function<bool(ChannelView channel)> suppress_video = {};

  VideoOptions video = {};  ///< how image channels become video

  /// What viewers may do, by role. What is refused looks to the viewer as if the robot did not offer it. Default:
  /// everything that `capabilities` offer.
  std::optional<Rights> rights = std::nullopt;
  /// May this viewer do this? Asked for what `capabilities` offer and `rights` allow. Default: yes.
  ///
  /// Runs on threads of the session, for several viewers at once, and may block: only that viewer's later messages
  /// wait. A message whose subjects have not all been answered in 2 s is refused; while the question is still running
  /// after that, the viewer's other questions are refused unasked. Answers are remembered until the viewer is
  /// registered anew (the newest 1,024). A viewer that reads all parameters is asked about once, with an empty subject.
  /// If it throws, the answer is no.
  std::function<bool(ClientView client, Action action, std::string_view subject)> authorize = {};
  /// One viewer at a time holds control. Implies Capabilities::services and the encoding "json". Default: off.
  std::optional<ControlLease> control_lease = std::nullopt;

  Limits limits = {};                       ///< what a slow or hostile viewer can cost
  bool auto_reconnect = true;               ///< join again, with back-off, when the room is lost
  std::vector<IceServer> ice_servers = {};  ///< replace those that the LiveKit server names
  /// File of the LiveKit library; empty: searched, see docs/environment.md. A process has one: another file than the
  /// one that is loaded is refused.
  std::string livekit_library = {};

  /// Answers viewers' requests about parameters by itself. Implies Capabilities::parameters.
  std::optional<ParameterStore> parameter_store = std::nullopt;
  /// Or: answers them. Implies Capabilities::parameters.
  std::optional<ParameterHandler> parameter_handler = std::nullopt;
  /// Leave the room after this long without a viewer, from 1 s; it counts from the join and from the last viewer's
  /// leaving. Default 0: stay for ever.
  std::chrono::milliseconds idle_window{0};
  AfterIdle after_idle = AfterIdle::wait;  ///< what comes then
};

}  // namespace telelink

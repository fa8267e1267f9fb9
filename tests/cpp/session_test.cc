// Session of the C++ wrapper, on the in-memory room.
#include "support.hpp"

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::ConnectionStatus;
using telelink::Session;
using telelink::Status;

// S-274.
TEST(Session, StreamsToAViewer) {
  telelink::testing::Server server;
  telelink::Context context;
  auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session) << session.error().message;
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  auto battery = context.channel("/battery", telelink::json(), reliable);
  ASSERT_TRUE(battery);
  auto imu = context.channel("/imu", telelink::json());
  ASSERT_TRUE(imu);

  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer) << viewer.error().message;
  const auto name = viewer->robot_name();
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_EQ(*name, "digger");

  for (const auto* channel : {&*battery, &*imu}) {
    const auto subscribed = viewer->subscribe(channel->topic());
    ASSERT_TRUE(subscribed) << subscribed.error().message;
    EXPECT_TRUE(channel->is_wanted());
    EXPECT_EQ(channel->log(R"({"percent": 81})", telelink::Time{std::chrono::nanoseconds{12345}}), Status::ok);
    const auto message = viewer->next_message();
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->topic, channel->topic());
    EXPECT_EQ(message->channel_id, channel->id());
    EXPECT_EQ(message->payload, R"({"percent": 81})");
    EXPECT_EQ(message->log_time_ns, 12345U);
    EXPECT_EQ(message->lossy, channel == &*imu);
  }
  const auto stats = session->stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->viewers, 1U);
  EXPECT_EQ(stats->joins, 1U);
  EXPECT_EQ(stats->subscriptions, 2U);
  EXPECT_EQ(stats->reliable_messages, 1U);
  EXPECT_EQ(stats->lossy_messages, 1U);
  const auto closed = session->close();
  EXPECT_TRUE(closed) << closed.error().message;
  EXPECT_EQ(session->status(), ConnectionStatus::shutdown);
}

TEST(Session, SaysWhichOptionCannotWork) {
  telelink::Context context;
  telelink::SessionOptions nothing;
  const auto no_url = Session::start(context, std::move(nothing));
  ASSERT_FALSE(no_url);
  EXPECT_EQ(no_url.error().status, Status::invalid_value);
  EXPECT_EQ(no_url.error().message, "options.url is empty, and so is LIVEKIT_URL in the environment");

  telelink::testing::Server server;
  auto two_tokens = support::robot(server);
  two_tokens.api_key = telelink::ApiKey{"key", "secret", "room", "identity"};
  const auto refused = Session::start(context, std::move(two_tokens));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "more than one of options.token, options.token_callbacks and options.api_key is set");
}

// S-111, S-115, P-25: the defaults of C++ are those of C.
TEST(Limits, AreThoseOfC) {
  telelink_session_options c;
  ASSERT_EQ(telelink_session_options_init(&c, sizeof c), TELELINK_STATUS_OK);
  const telelink::Limits limits;
  EXPECT_EQ(limits.message_backlog_size, c.message_backlog_size);
  EXPECT_EQ(limits.message_backlog_bytes, c.message_backlog_bytes);
  EXPECT_EQ(limits.session_backlog_bytes, c.session_backlog_bytes);
  EXPECT_EQ(limits.max_data_track_message_size, c.max_data_track_message_size);
  EXPECT_EQ(limits.eager_data_tracks, c.eager_data_tracks);
  EXPECT_EQ(limits.max_viewers, c.max_viewers);
}

TEST(Limits, EachReachesItsOwnOption) {
  const struct {
    std::size_t telelink::Limits::*field;
    std::size_t value;
    const char* message;
  } cases[] = {
      {&telelink::Limits::message_backlog_size, 15, "message_backlog_size is 15, "},
      {&telelink::Limits::message_backlog_bytes, 16, "message_backlog_bytes is 16, "},
      {&telelink::Limits::session_backlog_bytes, 17, "session_backlog_bytes is 17, "},
      {&telelink::Limits::max_data_track_message_size, 1199, "max_data_track_message_size is 1199, "},
      {&telelink::Limits::max_viewers, 0, "max_viewers is 0, "},
  };
  telelink::testing::Server server;
  telelink::Context context;
  for (const auto& test : cases) {
    auto options = support::robot(server);
    options.limits.*test.field = test.value;
    const auto refused = Session::start(context, std::move(options));
    ASSERT_FALSE(refused) << test.message;
    EXPECT_EQ(refused.error().message.rfind(test.message, 0), 0U) << refused.error().message;
  }
}

// S-274.
TEST(Session, TokenCallbackGivesTheToken) {
  telelink::testing::Server server;
  telelink::Context context;
  auto options = support::robot(server);
  Count asked, connected, ended;
  options.token_callback = [&asked, token = std::exchange(options.token, {}),
                            end = support::counts_its_end(ended)]() -> telelink::Result<std::string> {
    asked.add();
    if (asked.get() == 1) return telelink::Error{Status::unauthorized, "not yet"};
    return token;
  };
  options.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error*) {
    if (status == ConnectionStatus::connected) connected.add();
  };
  {
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_TRUE(connected.wait());
    EXPECT_EQ(asked.get(), 2);
    const auto error = session->last_error();
    ASSERT_TRUE(error);
    EXPECT_NE(error->message.find("not yet"), std::string::npos) << error->message;
  }
  EXPECT_EQ(ended.get(), 1);
}

// S-13.
TEST(Session, DestructorWaitsForARunningTokenCallback) {
  telelink::testing::Server server;
  telelink::Context context;
  Count entered, go_on, ended;
  std::atomic<bool> left{false};
  auto options = support::robot(server);
  options.token.clear();
  options.token_callback = [&, end = support::counts_its_end(ended)]() -> telelink::Result<std::string> {
    entered.add();
    go_on.wait();
    left = true;
    return telelink::Error{Status::unauthorized, "too late"};
  };
  auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(entered.wait());
  std::thread destroying([&, mine = std::move(*session)]() mutable {
    { const Session last = std::move(mine); }
    EXPECT_TRUE(left) << "destroyed under a running callback";
    EXPECT_EQ(ended.get(), 1);
  });
  go_on.add();
  destroying.join();
}

// S-13, S-43.
TEST(Session, CloseIsTimeoutWhileTheTokenCallbackRuns) {
  telelink::testing::Server server;
  telelink::Context context;
  Count entered, go_on;
  std::atomic<bool> left{false};
  auto options = support::robot(server);
  options.token.clear();
  options.token_callback = [&]() -> telelink::Result<std::string> {
    entered.add();
    go_on.wait();
    left = true;
    return telelink::Error{Status::unauthorized, "too late"};
  };
  options.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error*) {
    if (status == ConnectionStatus::shutdown) {
      EXPECT_TRUE(left) << "shutdown was told under a running callback";
    }
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(entered.wait());
  EXPECT_EQ(session->close(std::chrono::milliseconds{200}).status(), Status::timeout);
  EXPECT_FALSE(left);
  go_on.add();
  EXPECT_TRUE(session->close());
  EXPECT_TRUE(left);
}

// S-271, S-272.
TEST(Session, CallbacksAreDestroyedOnceAndBeforeTheDestructorReturns) {
  telelink::testing::Server server;
  telelink::Context context;
  Count ended;
  auto options = support::robot(server);
  options.callbacks.on_status = [end = support::counts_its_end(ended)](ConnectionStatus, const telelink::Error*) {};
  options.channel_filter = [end = support::counts_its_end(ended)](telelink::ChannelView) { return true; };
  options.qos = [end = support::counts_its_end(ended)](telelink::ChannelView) { return telelink::Qos::reliable; };
  options.services.push_back(telelink::Service{
      "/echo", "",
      [end = support::counts_its_end(ended)](const telelink::ServiceRequest&, telelink::ServiceResponder) {},
      telelink::json_schema("A", "{}")});
  {
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_EQ(ended.get(), 0);
  }
  EXPECT_EQ(ended.get(), 4);
}

/// Design decision 6: no lock of ours is held meanwhile, so a callback may own what its end closes.
TEST(Session, ChannelFilterMayOwnTheLastHandleOfAChannel) {
  telelink::testing::Server server;
  telelink::Context context;
  Count ended;
  auto channel = context.channel("/owned", telelink::json());
  ASSERT_TRUE(channel);
  auto owned = std::make_shared<telelink::Channel>(std::move(*channel));
  auto options = support::robot(server);
  options.channel_filter = [owned, end = support::counts_its_end(ended)](telelink::ChannelView) { return true; };
  options.qos = [owned](telelink::ChannelView) { return telelink::Qos::reliable; };
  owned.reset();
  {
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    const auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer) << viewer.error().message;
    EXPECT_TRUE(viewer->subscribe("/owned"));
  }
  EXPECT_EQ(ended.get(), 1);
  EXPECT_TRUE(context.channel("/later", telelink::json())) << "the context lives";
}

TEST(Session, CallbacksAreDestroyedOnceWhenStartFails) {
  telelink::Context context;
  Count ended;
  telelink::SessionOptions options;
  options.callbacks.on_status = [end = support::counts_its_end(ended)](ConnectionStatus, const telelink::Error*) {};
  options.channel_filter = [end = support::counts_its_end(ended)](telelink::ChannelView) { return true; };
  options.token_callback = [end = support::counts_its_end(ended)]() -> telelink::Result<std::string> { return {"x"}; };
  EXPECT_FALSE(Session::start(context, std::move(options)));
  EXPECT_EQ(ended.get(), 3);
}

// S-42.
TEST(Session, MayBeDestroyedInsideItsOwnCallback) {
  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  Count may_start, done, ended;
  auto options = support::robot(server);
  options.callbacks.on_status = [&, end = support::counts_its_end(ended)](ConnectionStatus status,
                                                                          const telelink::Error*) {
    if (status != ConnectionStatus::connected) return;
    may_start.wait();
    session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
    done.add();
  };
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  may_start.add();
  EXPECT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST(Session, WhatCallbacksThrowGoesNoFurther) {
  telelink::testing::Server server;
  telelink::Context context;
  Count thrown;
  auto options = support::robot(server);
  options.capabilities = telelink::Capabilities::client_publish;
  options.supported_encodings = {"json"};
  options.callbacks.on_status = [&](ConnectionStatus, const telelink::Error*) {
    thrown.add();
    throw std::runtime_error("from on_status");
  };
  options.callbacks.on_subscribe = [&](telelink::ClientView, telelink::ChannelView) {
    thrown.add();
    throw 1;
  };
  options.callbacks.on_unsubscribe = [&](telelink::ClientView, telelink::ChannelView) { throw 1; };
  options.callbacks.on_client_advertise = [&](telelink::ClientView, telelink::ClientChannelView) { throw 1; };
  options.callbacks.on_client_unadvertise = [&](telelink::ClientView, telelink::ClientChannelView) { throw 1; };
  options.callbacks.on_message = [&](telelink::ClientView, telelink::ClientChannelView,
                                     const telelink::ClientMessage&) {
    thrown.add();
    throw std::string("not even an exception");
  };
  options.channel_filter = [](telelink::ChannelView channel) -> bool {
    if (channel.topic() == "/hidden") throw 1;
    return true;
  };
  options.qos = [](telelink::ChannelView) -> telelink::Qos { throw 1; };
  options.services.push_back(telelink::Service{
      "/throws", "",
      [](const telelink::ServiceRequest&, telelink::ServiceResponder) { throw std::runtime_error("no"); }});
  ::testing::internal::CaptureStderr();
  {
    auto hidden = context.channel("/hidden", telelink::json());
    auto battery = context.channel("/battery", telelink::json());
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer);
    const auto subscribed = viewer->subscribe("/battery");
    EXPECT_TRUE(subscribed) << subscribed.error().message;
    EXPECT_EQ(viewer->wait_channel("/hidden", std::chrono::milliseconds{0}).status(), Status::timeout)
        << "a filter that throws hides the channel";
    EXPECT_EQ(battery->log("1"), Status::ok);
    const auto message = viewer->next_message();
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_TRUE(message->lossy) << "a classifier that throws leaves the channel as it is";
    EXPECT_TRUE(viewer->advertise(1, "/drive"));
    EXPECT_TRUE(viewer->publish(1, "{}"));
    EXPECT_TRUE(thrown.wait(4));
    const auto answer = viewer->call("/throws", "json", "{}");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->failed);
    EXPECT_TRUE(viewer->unadvertise(1));
    EXPECT_TRUE(viewer->unsubscribe("/battery"));
  }
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("on_status threw an exception: from on_status"), std::string::npos) << said;
  EXPECT_NE(said.find("on_message threw something that is no std::exception"), std::string::npos) << said;
  EXPECT_NE(said.find("a service handler threw an exception: no"), std::string::npos) << said;
}

// S-274.
TEST(Session, ViewersAreSeenInCallbacks) {
  telelink::testing::Server server;
  telelink::Context context;
  Count subscribed;
  std::optional<telelink::Client> kept;
  auto options = support::robot(server);
  options.callbacks.on_subscribe = [&](telelink::ClientView client, telelink::ChannelView channel) {
    EXPECT_EQ(client.identity(), "operator");
    EXPECT_GT(client.id(), 0U);
    EXPECT_FALSE(client.sid().empty());
    EXPECT_EQ(client.attribute("protocolVersion"), "2.3.0");
    EXPECT_EQ(client.attribute("nothing"), std::nullopt);
    EXPECT_GT(client.joined_at().time_since_epoch().count(), 0);
    EXPECT_EQ(channel.topic(), "/battery");
    auto copy = telelink::Client::copy(client);
    EXPECT_TRUE(copy);
    if (copy) kept.emplace(std::move(*copy));
    subscribed.add();
  };
  auto battery = context.channel("/battery", telelink::json());
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  const auto done = viewer->subscribe("/battery");
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE(subscribed.wait());
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->identity(), "operator");
  const auto found = session->client(kept->id());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->identity(), "operator");
  EXPECT_EQ(session->client(kept->id() + 1'000'000).status(), Status::not_found);
}

TEST(Session, PublishesAndRemovesStatuses) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session);
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  ASSERT_TRUE(viewer->robot_name());
  const auto published = session->publish_status(telelink::StatusLevel::error, "battery low", "battery");
  ASSERT_TRUE(published) << published.error().message;
  const auto status = viewer->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->message, "battery low");
  EXPECT_EQ(status->id, "battery");
  EXPECT_EQ(status->level, 2);
  EXPECT_TRUE(session->remove_status("battery"));
  EXPECT_TRUE(session->remove_status(std::vector<std::string>{"a", "b"}));
}

TEST(Session, ServicesAreCalledAddedAndRemoved) {
  telelink::testing::Server server;
  telelink::Context context;
  auto options = support::robot(server);
  options.supported_encodings = {"json"};
  options.services.push_back(telelink::Service{
      "/echo", "Echo", [](const telelink::ServiceRequest& request, telelink::ServiceResponder responder) {
        EXPECT_EQ(request.client.identity(), "operator");
        responder.respond(request.payload);
      }});
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  const auto echo = viewer->call("/echo", "json", "[1]");
  ASSERT_TRUE(echo) << echo.error().message;
  EXPECT_FALSE(echo->failed) << echo->message;
  EXPECT_EQ(echo->payload, "[1]");

  const auto added = session->add_service(
      telelink::Service{"/fails", "", [](const telelink::ServiceRequest&, telelink::ServiceResponder responder) {
                          std::thread([responder = std::move(responder)] {
                            EXPECT_EQ(responder.fail("out of order"), Status::ok);
                            EXPECT_EQ(responder.respond("late"), Status::already_responded);
                          }).join();
                        }});
  ASSERT_TRUE(added) << added.error().message;
  const auto failed = viewer->call("/fails", "json", "");
  ASSERT_TRUE(failed) << failed.error().message;
  EXPECT_TRUE(failed->failed);
  EXPECT_EQ(failed->message, "out of order");

  EXPECT_EQ(session->add_service(telelink::Service{"/empty", "", {}}).error().message,
            "service.on_request of service /empty is NULL");
  EXPECT_EQ(session
                ->add_service(
                    telelink::Service{"/echo", "", [](const telelink::ServiceRequest&, telelink::ServiceResponder) {}})
                .status(),
            Status::duplicate);
  ASSERT_TRUE(session->remove_service("/fails"));
  EXPECT_TRUE(viewer->wait_no_service("/fails"));
}

TEST(Session, MovedFromAnswersNullArgument) {
  telelink::testing::Server server;
  telelink::Context context;
  auto made = Session::start(context, support::robot(server));
  ASSERT_TRUE(made);
  const Session session = std::move(*made);
  EXPECT_NE(session.status(), ConnectionStatus::shutdown);
  EXPECT_EQ(made->status(), ConnectionStatus::shutdown);  // NOLINT(bugprone-use-after-move): that is the test
  EXPECT_EQ(made->close().status(), Status::null_argument);
}

TEST(Log, ReachesAReceiverThatMayThrow) {
  Count heard, ended;
  ::testing::internal::CaptureStderr();
  const auto set = telelink::set_log(telelink::LogLevel::warn,
                                     [&, end = support::counts_its_end(ended)](const telelink::LogRecord& record) {
                                       EXPECT_FALSE(record.message.empty());
                                       heard.add();
                                       throw 1;
                                     });
  ASSERT_TRUE(set) << set.error().message;
  telelink::testing::Server server;
  telelink::Context context;
  server.set_reachable(false);
  {
    const auto session = Session::start(context, support::robot(server));
    ASSERT_TRUE(session);
    EXPECT_TRUE(heard.wait());
  }
  EXPECT_TRUE(telelink::set_log(telelink::LogLevel::off, nullptr));
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("the log receiver threw"), std::string::npos);
}

}  // namespace

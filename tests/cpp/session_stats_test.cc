// Figures of a session, and their Prometheus text.
#include "support.hpp"

#include <string>

namespace {

using telelink::Session;
using telelink::Status;

// S-274.
TEST(SessionStats, HasTheFiguresOfViewersAndChannels) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session) << session.error().message;
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  auto battery = context.channel("/battery", telelink::json(), reliable);
  auto imu = context.channel("/imu", telelink::json());
  ASSERT_TRUE(battery && imu);
  auto first = server.viewer("yard", "first");
  auto second = server.viewer("yard", "second");
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(first->subscribe("/battery"));
  ASSERT_TRUE(second->subscribe("/battery"));
  ASSERT_TRUE(second->subscribe("/imu"));
  EXPECT_EQ(battery->log("12345"), Status::ok);
  EXPECT_EQ(imu->log("123"), Status::ok);
  ASSERT_TRUE(second->next_message());

  const auto stats = session->stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->viewers, 2U);
  EXPECT_EQ(stats->subscriptions, 3U);
  ASSERT_EQ(stats->by_viewer.size(), 2U);
  EXPECT_EQ(stats->by_viewer[0].identity, "first");
  EXPECT_EQ(stats->by_viewer[0].subscriptions, 1U);
  EXPECT_EQ(stats->by_viewer[1].subscriptions, 2U);
  EXPECT_EQ(stats->by_viewer[1].resets, 0U);
  EXPECT_GT(stats->by_viewer[1].sent_bytes, 0U);
  EXPECT_EQ(stats->by_viewer[1].ping_rtt_ms, std::nullopt);
  const auto client = session->client(stats->by_viewer[1].client_id);
  ASSERT_TRUE(client);
  EXPECT_EQ(client->identity(), "second");
  ASSERT_EQ(stats->by_channel.size(), 2U);
  EXPECT_EQ(stats->by_channel[0].topic, "/battery");
  EXPECT_EQ(stats->by_channel[0].channel_id, battery->id());
  EXPECT_EQ(stats->by_channel[0].data_subscribers, 2U);
  EXPECT_EQ(stats->by_channel[0].reliable_messages, 1U);
  EXPECT_EQ(stats->by_channel[0].reliable_bytes, 5U);
  EXPECT_EQ(stats->by_channel[1].data_subscribers, 1U);
  EXPECT_EQ(stats->by_channel[1].lossy_bytes, 3U);

  battery->close();
  ASSERT_TRUE(first->wait_no_channel("/battery"));
  const auto later = session->stats();
  ASSERT_TRUE(later);
  EXPECT_EQ(later->by_channel.size(), 1U);
  EXPECT_EQ(later->reliable_messages, 1U) << "what a closed channel counted stays in the sums";
}

// S-227.
TEST(SessionStats, DropsAreCountedByTheirCause) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto imu = context.channel("/imu", telelink::json());
  ASSERT_TRUE(imu);
  support::Count logged;
  auto options = support::robot(server);
  options.limits.eager_data_tracks = 0;
  options.limits.max_data_track_message_size = 1200;
  // A link that is lost while the robot decides: the subscription counts, and its data track has to wait.
  options.authorize = [&](telelink::ClientView, telelink::Action, std::string_view) {
    server.set_reachable(false);
    return true;
  };
  options.callbacks.on_subscribe = [&](telelink::ClientView, telelink::ChannelView) {
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(imu->log(std::string(1201, 'x')), Status::ok);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(imu->log(std::string(1200, 'x')), Status::ok);
    logged.add();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  const auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer) << viewer.error().message;
  ASSERT_TRUE(viewer->wait_channel("/imu"));
  // Nothing can come back over that link, so this only sends.
  EXPECT_EQ(viewer->subscribe("/imu", std::chrono::milliseconds{0}).status(), Status::timeout);
  ASSERT_TRUE(logged.wait());
  const auto stats = session->stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->dropped_oversize, 2U);
  EXPECT_EQ(stats->dropped_not_ready, 3U);
  EXPECT_EQ(stats->dropped_overwritten, 0U);
  EXPECT_EQ(stats->dropped_transport_full, 0U);
  EXPECT_EQ(stats->dropped_refused, 0U);
  EXPECT_EQ(stats->dropped_incoming, 0U);
  EXPECT_EQ(stats->lossy_messages, 0U);
  ASSERT_EQ(stats->by_channel.size(), 1U);
  const auto& channel = stats->by_channel[0];
  EXPECT_EQ(channel.topic, "/imu");
  EXPECT_EQ(channel.dropped_oversize, 2U);
  EXPECT_EQ(channel.dropped_not_ready, 3U);
  EXPECT_EQ(channel.dropped_overwritten, 0U);
  EXPECT_EQ(channel.dropped_transport_full, 0U);
  EXPECT_EQ(channel.dropped_refused, 0U);
  EXPECT_EQ(channel.lossy_messages, 0U);
}

// S-27: a transport that reconnects is no status of its own.
TEST(SessionStats, SayThatTheLinkIsLost) {
  const telelink::testing::Server server;
  const telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session);
  ASSERT_TRUE(server.viewer("yard", "operator")->robot_name());
  auto stats = session->stats();
  ASSERT_TRUE(stats);
  EXPECT_FALSE(stats->reconnecting);
  server.set_reachable(false);
  stats = session->stats();
  ASSERT_TRUE(stats);
  EXPECT_TRUE(stats->reconnecting);
  EXPECT_EQ(session->status(), telelink::ConnectionStatus::connected);
  server.set_reachable(true);
  stats = session->stats();
  ASSERT_TRUE(stats);
  EXPECT_FALSE(stats->reconnecting);
  EXPECT_EQ(stats->reconnects, 1U);
}

TEST(SessionStats, PrometheusTextIsServedAsItIs) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session);
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  ASSERT_TRUE(viewer->robot_name());
  const auto page = session->prometheus({{"robot", "digger"}, {"site", "north \"quay\""}});
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_NE(page->find("# TYPE telelink_viewers gauge\n"
                       "telelink_viewers{robot=\"digger\",site=\"north \\\"quay\\\"\"} 1\n"),
            std::string::npos)
      << *page;
  const auto plain = session->prometheus();
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->rfind("# HELP telelink_connected ", 0), 0U);
  EXPECT_NE(plain->find("\ntelelink_joins_total 1\n"), std::string::npos);
  EXPECT_EQ(plain->back(), '\n');

  EXPECT_EQ(session->prometheus({{"topic", "x"}}).status(), Status::invalid_value);
  EXPECT_EQ(session->prometheus({{"robot", "\xff"}}).status(), Status::invalid_utf8);
  ASSERT_TRUE(session->close());
  EXPECT_EQ(session->prometheus().status(), Status::closed);
  EXPECT_EQ(session->stats().status(), Status::closed);
}

}  // namespace

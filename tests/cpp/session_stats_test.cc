// Figures of a session, and their Prometheus text.
#include "support.hpp"

#include <string>

namespace {

using telelink::Session;
using telelink::Status;

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

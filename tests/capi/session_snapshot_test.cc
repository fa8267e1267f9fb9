// Figures of a session: sums, viewers, channels, and the Prometheus text.
#include "support.hpp"

#include <sstream>

namespace {

using support::text;
using support::wait_ms;

class Snapshot : public ::testing::Test {
 protected:
  void SetUp() override {
    telelink_channel_options options;
    ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
    options.encoding = text("json");
    options.qos = TELELINK_QOS_RELIABLE;
    ASSERT_EQ(telelink_channel_create(robot.context, text("/battery"), &options, &channel), TELELINK_STATUS_OK);
    robot.start();
    robot.join();
    ASSERT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    ASSERT_EQ(telelink_channel_log(channel, telelink_text_data("12345")), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_session_snapshot_create(robot.session, &snapshot), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  void TearDown() override {
    telelink_session_snapshot_free(snapshot);
    telelink_channel_free(channel);
  }

  telelink_channel* channel = nullptr;
  telelink_session_snapshot* snapshot = nullptr;
  support::Robot robot;
};

TEST_F(Snapshot, HasViewersAndChannels) {
  ASSERT_EQ(telelink_session_snapshot_viewer_count(snapshot), 1U);
  telelink_viewer_stats viewer;
  ASSERT_EQ(telelink_viewer_stats_init(&viewer, sizeof viewer), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_snapshot_viewer(snapshot, 0, &viewer), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(telelink_client_identity(viewer.client)), "operator");
  EXPECT_GT(telelink_client_id(viewer.client), 0U);
  EXPECT_EQ(viewer.subscriptions, 1U);
  EXPECT_GT(viewer.sent_frames, 0U);
  EXPECT_GT(viewer.sent_bytes, 5U);
  EXPECT_GT(viewer.queue_frames_max, 0U);
  EXPECT_GT(viewer.queue_bytes_max, 0U);
  EXPECT_EQ(viewer.resets, 0U);
  EXPECT_LT(viewer.ping_rtt_ms, 0) << "this viewer acknowledges no pongs";

  ASSERT_EQ(telelink_session_snapshot_channel_count(snapshot), 1U);
  telelink_channel_stats of;
  ASSERT_EQ(telelink_channel_stats_init(&of, sizeof of), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_snapshot_channel(snapshot, 0, &of), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(of.topic), "/battery");
  EXPECT_EQ(of.channel_id, telelink_channel_info_id(telelink_channel_as_info(channel)));
  EXPECT_EQ(of.data_subscribers, 1U);
  EXPECT_EQ(of.video_subscribers, 0U);
  EXPECT_EQ(of.reliable_messages, 1U);
  EXPECT_EQ(of.reliable_bytes, 5U);

  EXPECT_EQ(telelink_session_snapshot_viewer(snapshot, 1, &viewer), TELELINK_STATUS_NOT_FOUND);
  EXPECT_STREQ(telelink_last_error_message(), "index is 1, but the snapshot has 1 viewers");
  EXPECT_EQ(telelink_session_snapshot_channel(snapshot, SIZE_MAX, &of), TELELINK_STATUS_NOT_FOUND);
  viewer.struct_size = 1;
  EXPECT_EQ(telelink_session_snapshot_viewer(snapshot, 0, &viewer), TELELINK_STATUS_STRUCT_SIZE);
  of.struct_size = sizeof of + 8;
  EXPECT_EQ(telelink_session_snapshot_channel(snapshot, 0, &of), TELELINK_STATUS_STRUCT_SIZE);
}

TEST_F(Snapshot, OutlivesItsSessionAndChannelsStayInTheSums) {
  EXPECT_EQ(telelink_channel_close(channel), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_wait_no_channel(robot.viewer, text("/battery"), wait_ms), TELELINK_STATUS_OK);
  telelink_session_snapshot* later = nullptr;
  ASSERT_EQ(telelink_session_snapshot_create(robot.session, &later), TELELINK_STATUS_OK);
  telelink_session_free(robot.release());

  telelink_session_stats sums;
  ASSERT_EQ(telelink_session_stats_init(&sums, sizeof sums), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_snapshot_stats(later, &sums), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_session_snapshot_channel_count(later), 0U);
  EXPECT_EQ(sums.reliable_messages, 1U);
  EXPECT_EQ(sums.reliable_bytes, 5U);
  EXPECT_EQ(sums.joins, 1U);
  EXPECT_EQ(sums.reconnects, 0U);
  EXPECT_EQ(sums.viewers, 1U);
  EXPECT_EQ(telelink_session_snapshot_channel_count(snapshot), 1U) << "the earlier one is as it was";
  telelink_session_snapshot_free(later);
}

TEST_F(Snapshot, PrometheusTextHasEveryLineInOrder) {
  const telelink_pair labels[] = {{text("robot"), text("digger \"7\"")}, {text("site"), text("a\\b\nc")}};
  telelink_str page = {};
  ASSERT_EQ(telelink_session_snapshot_prometheus(snapshot, labels, 2, &page), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  const std::string common = R"(robot="digger \"7\"",site="a\\b\nc")";
  std::istringstream lines{support::string(page)};
  std::string family;
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# HELP telelink_", 0) == 0) {
      family = line.substr(7, line.find(' ', 7) - 7);
    } else if (line.rfind("# TYPE ", 0) == 0) {
      EXPECT_TRUE(line == "# TYPE " + family + " counter" || line == "# TYPE " + family + " gauge") << line;
    } else {
      EXPECT_EQ(line.rfind(family + "{" + common, 0), 0U) << line;
      const auto value = line.substr(line.rfind(' ') + 1);
      std::size_t read = 0;
      EXPECT_GE(std::stod(value, &read), 0.0) << line;
      EXPECT_EQ(read, value.size()) << line;
      ++samples;
    }
  }
  EXPECT_GT(samples, 30);
  EXPECT_NE(support::string(page).find("telelink_messages_total{" + common + ",path=\"reliable\"} 1\n"),
            std::string::npos);
  EXPECT_NE(support::string(page).find(",viewer=\"operator\",client=\""), std::string::npos);

  // Asked again, without labels.
  ASSERT_EQ(telelink_session_snapshot_prometheus(snapshot, nullptr, 0, &page), TELELINK_STATUS_OK);
  EXPECT_NE(support::string(page).find("\ntelelink_connected 1\n"), std::string::npos);
}

TEST_F(Snapshot, PrometheusLabelsAreChecked) {
  telelink_str page = text("untouched");
  for (const char* name : {"", "a-b", "7", "__name__", "topic"}) {
    const telelink_pair label = {text(name), text("x")};
    EXPECT_EQ(telelink_session_snapshot_prometheus(snapshot, &label, 1, &page), TELELINK_STATUS_INVALID_VALUE) << name;
  }
  EXPECT_STREQ(telelink_last_error_message(), "the label topic is one of telelink's own");
  const telelink_pair garbage = {text("robot"), {"\xff", 1}};
  EXPECT_EQ(telelink_session_snapshot_prometheus(snapshot, &garbage, 1, &page), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(support::string(page), "untouched");
}

// S-227.
TEST(SnapshotDrops, AreCountedByTheirCause) {
  struct Imu {
    telelink_channel* channel = nullptr;
    telelink_test_server* server = nullptr;
    support::Event logged;
  } imu;
  support::Robot robot;
  imu.server = robot.server;
  telelink_channel_options options;
  ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  options.encoding = text("json");
  ASSERT_EQ(telelink_channel_create(robot.context, text("/imu"), &options, &imu.channel), TELELINK_STATUS_OK);
  robot.options.eager_data_tracks = 0;
  robot.options.max_data_track_message_size = 1200;
  telelink_session_policy policy;
  ASSERT_EQ(telelink_session_policy_init(&policy, sizeof policy), TELELINK_STATUS_OK);
  policy.context = &imu;
  // A link that is lost while the robot decides: the subscription counts, and its data track has to wait.
  policy.authorize = [](void* context, const telelink_client*, telelink_action, telelink_str) {
    return telelink_test_server_set_reachable(static_cast<Imu*>(context)->server, 0) == TELELINK_STATUS_OK;
  };
  robot.options.policy = &policy;
  robot.callbacks.context = &imu;
  robot.callbacks.on_subscribe = [](void* context, const telelink_client*, const telelink_channel_info*) {
    auto& me = *static_cast<Imu*>(context);
    const std::string fits(1200, 'x');
    const auto too_long = fits + "x";
    const auto data = [](const std::string& of) { return telelink_data(of.data(), of.size()); };
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(telelink_channel_log(me.channel, data(too_long)), TELELINK_STATUS_OK);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(telelink_channel_log(me.channel, data(fits)), TELELINK_STATUS_OK);
    me.logged.set();
  };
  robot.start();
  robot.join();
  ASSERT_EQ(telelink_test_viewer_wait_channel(robot.viewer, text("/imu"), wait_ms, nullptr), TELELINK_STATUS_OK);
  // Nothing can come back over that link, so this only sends.
  EXPECT_EQ(telelink_test_viewer_subscribe(robot.viewer, text("/imu"), 0), TELELINK_STATUS_TIMEOUT);
  ASSERT_TRUE(imu.logged.wait());

  const auto expect = [](const auto& stats) {
    EXPECT_EQ(stats.dropped_oversize, 2U);
    EXPECT_EQ(stats.dropped_not_ready, 3U);
    EXPECT_EQ(stats.dropped_overwritten, 0U);
    EXPECT_EQ(stats.dropped_transport_full, 0U);
    EXPECT_EQ(stats.dropped_refused, 0U);
    EXPECT_EQ(stats.lossy_messages, 0U);
  };
  telelink_session_stats sums;
  ASSERT_EQ(telelink_session_stats_init(&sums, sizeof sums), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_stats_read(robot.session, &sums), TELELINK_STATUS_OK);
  expect(sums);
  telelink_session_snapshot* snapshot = nullptr;
  ASSERT_EQ(telelink_session_snapshot_create(robot.session, &snapshot), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_stats_init(&sums, sizeof sums), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_snapshot_stats(snapshot, &sums), TELELINK_STATUS_OK);
  expect(sums);
  ASSERT_EQ(telelink_session_snapshot_channel_count(snapshot), 1U);
  telelink_channel_stats of;
  ASSERT_EQ(telelink_channel_stats_init(&of, sizeof of), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_snapshot_channel(snapshot, 0, &of), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(of.topic), "/imu");
  expect(of);
  telelink_session_snapshot_free(snapshot);
  telelink_session_free(robot.release());
  telelink_channel_free(imu.channel);
}

TEST_F(Snapshot, OfAClosedSessionIsRefused) {
  ASSERT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK);
  telelink_session_snapshot* none = nullptr;
  EXPECT_EQ(telelink_session_snapshot_create(robot.session, &none), TELELINK_STATUS_CLOSED);
  EXPECT_EQ(none, nullptr);
}

}  // namespace

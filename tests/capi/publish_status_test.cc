// Statuses that the robot publishes: shown, replaced, removed, kept for viewers that come later.
#include "support.hpp"

#include <vector>

namespace {

using support::text;
using support::wait_ms;

class PublishStatus : public ::testing::Test {
 protected:
  void SetUp() override {
    robot.start();
    robot.join();
    telelink_str name = {};
    ASSERT_EQ(telelink_test_viewer_robot_name(robot.viewer, wait_ms, &name), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
  }

  void publish(telelink_status_level level, const std::string& message, const std::string& id) {
    ASSERT_EQ(telelink_session_publish_status(robot.session, level, text(message), text(id)), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  /// The next status of a viewer: level, message, id.
  std::string next(const telelink_test_viewer* viewer) {
    if (telelink_test_viewer_next_status(viewer, wait_ms, &status) != TELELINK_STATUS_OK) return "none";
    return std::to_string(status.level) + " " + support::string(status.message) + " " + support::string(status.id);
  }

  std::string removed(const telelink_test_viewer* viewer) {
    telelink_str json = {};
    const auto done = telelink_test_viewer_next_json(viewer, text("removeStatus"), wait_ms, &json);
    return done == TELELINK_STATUS_OK ? support::string(json) : "none";
  }

  telelink_test_status status;
  support::Robot robot;
};

TEST_F(PublishStatus, EveryLevelReachesTheViewersThatAreThere) {
  publish(TELELINK_STATUS_LEVEL_INFO, "hello", "");
  publish(TELELINK_STATUS_LEVEL_WARNING, "battery low", "battery");
  publish(TELELINK_STATUS_LEVEL_ERROR, "battery empty", "battery");
  publish(TELELINK_STATUS_LEVEL_INFO, "", "");
  EXPECT_EQ(next(robot.viewer), "0 hello ");
  EXPECT_EQ(next(robot.viewer), "1 battery low battery");
  EXPECT_EQ(next(robot.viewer), "2 battery empty battery");
  EXPECT_EQ(next(robot.viewer), "0  ");
}

TEST_F(PublishStatus, RemovingTellsTheViewersAndUnknownIdsDoNoHarm) {
  publish(TELELINK_STATUS_LEVEL_INFO, "a", "a");
  const telelink_str ids[] = {text("a"), text("unknown")};
  ASSERT_EQ(telelink_session_remove_status(robot.session, ids, 2), TELELINK_STATUS_OK);
  EXPECT_EQ(removed(robot.viewer), R"({"op":"removeStatus","statusIds":["a","unknown"]})");
  EXPECT_EQ(telelink_session_remove_status(robot.session, nullptr, 0), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_session_remove_status(robot.session, ids, 1), TELELINK_STATUS_OK);
  EXPECT_EQ(removed(robot.viewer), R"({"op":"removeStatus","statusIds":["a"]})") << "no ids, no message";
}

TEST_F(PublishStatus, ThoseWithAnIdAreKeptForLateViewersUntilTheyAreRemoved) {
  publish(TELELINK_STATUS_LEVEL_INFO, "passing", "");
  publish(TELELINK_STATUS_LEVEL_INFO, "old", "a");
  publish(TELELINK_STATUS_LEVEL_WARNING, "gone", "b");
  publish(TELELINK_STATUS_LEVEL_ERROR, "stays", "c");
  publish(TELELINK_STATUS_LEVEL_WARNING, "new", "a");
  const auto gone = text("b");
  ASSERT_EQ(telelink_session_remove_status(robot.session, &gone, 1), TELELINK_STATUS_OK);
  ASSERT_NE(removed(robot.viewer), "none");
  telelink_test_viewer* late = nullptr;
  ASSERT_EQ(telelink_test_viewer_create(robot.server, text("yard"), text("late"), wait_ms, &late), TELELINK_STATUS_OK);
  std::vector<std::string> kept = {next(late), next(late)};
  EXPECT_EQ(kept, (std::vector<std::string>{"1 new a", "2 stays c"}));
  // Nothing else was kept: the next one is the next one.
  publish(TELELINK_STATUS_LEVEL_INFO, "fresh", "");
  EXPECT_EQ(next(late), "0 fresh ");
  telelink_test_viewer_free(late);
}

// S-261.
TEST_F(PublishStatus, GoToEveryViewerAndWhatOneDidWrongToThatOneOnly) {
  telelink_test_viewer* other = nullptr;
  ASSERT_EQ(telelink_test_viewer_create(robot.server, text("yard"), text("other"), wait_ms, &other),
            TELELINK_STATUS_OK);
  telelink_str name = {};
  ASSERT_EQ(telelink_test_viewer_robot_name(other, wait_ms, &name), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_send_json(other, text(R"({"op":"subscribeConnectionGraph"})"), wait_ms),
            TELELINK_STATUS_OK);
  EXPECT_EQ(next(other), "2 Server does not support connection graph capability ") << "without an id";
  publish(TELELINK_STATUS_LEVEL_WARNING, "battery low", "battery");
  const auto id = text("battery");
  ASSERT_EQ(telelink_session_remove_status(robot.session, &id, 1), TELELINK_STATUS_OK);
  for (const auto* viewer : {robot.viewer, other}) {
    EXPECT_EQ(next(viewer), "1 battery low battery");
    EXPECT_EQ(removed(viewer), R"({"op":"removeStatus","statusIds":["battery"]})");
  }
  telelink_test_viewer_free(other);
}

TEST_F(PublishStatus, KeptAcrossTheLossOfTheRoom) {
  publish(TELELINK_STATUS_LEVEL_WARNING, "battery low", "battery");
  EXPECT_EQ(next(robot.viewer), "1 battery low battery");
  ASSERT_EQ(telelink_test_server_disconnect(robot.server, text("robot")), TELELINK_STATUS_OK);
  EXPECT_EQ(next(robot.viewer), "1 battery low battery");
}

}  // namespace

// Statuses that the robot publishes.
#include "support.hpp"

#include <string>
#include <vector>

namespace {

using telelink::Session;
using telelink::Status;
using telelink::StatusLevel;

std::string next(const telelink::testing::Viewer& viewer) {
  const auto status = viewer.next_status();
  if (!status) return status.error().message;
  return std::to_string(status->level) + " " + status->message + " " + status->id;
}

TEST(PublishStatus, IsShownReplacedRemovedAndKeptForLateViewers) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, support::robot(server));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  ASSERT_TRUE(viewer->robot_name());
  ASSERT_TRUE(session->publish_status(StatusLevel::info, "passing"));
  ASSERT_TRUE(session->publish_status(StatusLevel::warning, "battery low", "battery"));
  ASSERT_TRUE(session->publish_status(StatusLevel::error, "battery empty", "battery"));
  ASSERT_TRUE(session->publish_status(StatusLevel::info, "gone", "door"));
  EXPECT_EQ(next(*viewer), "0 passing ");
  EXPECT_EQ(next(*viewer), "1 battery low battery");
  EXPECT_EQ(next(*viewer), "2 battery empty battery");
  EXPECT_EQ(next(*viewer), "0 gone door");
  ASSERT_TRUE(session->remove_status("door"));
  const auto removed = viewer->next_json("removeStatus");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(*removed, R"({"op":"removeStatus","statusIds":["door"]})");

  auto late = server.viewer("yard", "late");
  ASSERT_TRUE(late);
  EXPECT_EQ(next(*late), "2 battery empty battery") << "only what has an id and was not removed";
  ASSERT_TRUE(session->remove_status(std::vector<std::string>{"battery", "unknown"}));
  ASSERT_TRUE(late->next_json("removeStatus"));
  ASSERT_TRUE(session->publish_status(StatusLevel::info, "now"));
  EXPECT_EQ(next(*late), "0 now ");
  auto later = server.viewer("yard", "later");
  ASSERT_TRUE(later);
  ASSERT_TRUE(later->robot_name());
  ASSERT_TRUE(session->publish_status(StatusLevel::info, "first"));
  EXPECT_EQ(next(*later), "0 first ") << "nothing was kept";

  EXPECT_EQ(session->publish_status(StatusLevel::info, "\xff").status(), Status::invalid_utf8);
  EXPECT_EQ(session->publish_status(static_cast<StatusLevel>(7), "x").status(), Status::invalid_value);
  ASSERT_TRUE(session->close());
  EXPECT_EQ(session->publish_status(StatusLevel::info, "late").status(), Status::closed);
}

}  // namespace

// The control lease, through C.
#include "support.hpp"

#include <mutex>
#include <string>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

/// What the robot was told.
struct LeaseTold {
  std::mutex mutex;
  std::vector<std::string> lines;
  Event told, dropped;

  void add(std::string line) {
    {
      const std::lock_guard lock{mutex};
      lines.push_back(std::move(line));
    }
    told.set();
  }
};

class ControlLease : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_control_lease_init(&lease, sizeof lease), TELELINK_STATUS_OK);
    lease.context = &told;
    lease.drop = [](void* context) { static_cast<LeaseTold*>(context)->dropped.set(); };
    lease.on_taken = [](void* context, const telelink_client* client) {
      static_cast<LeaseTold*>(context)->add("taken " + support::string(telelink_client_identity(client)));
    };
    lease.on_lost = [](void* context, const telelink_client* client, telelink_control_lost reason) {
      static_cast<LeaseTold*>(context)->add("lost " + support::string(telelink_client_identity(client)) + " " +
                                            std::to_string(static_cast<int>(reason)));
    };
    robot.options.control_lease = &lease;
  }

  void take() {
    std::uint32_t id = 0;
    ASSERT_EQ(telelink_test_viewer_call(robot.viewer, text("/telelink/control/take"), text("json"),
                                        telelink_text_data("{}"), wait_ms, &id),
              TELELINK_STATUS_OK)
        << telelink_last_error_message();
    telelink_test_answer answer;
    ASSERT_EQ(telelink_test_answer_init(&answer, sizeof answer), TELELINK_STATUS_OK);
    ASSERT_EQ(telelink_test_viewer_answer(robot.viewer, id, wait_ms, &answer), TELELINK_STATUS_OK);
    EXPECT_EQ(answer.failed, 0U) << support::string(answer.message);
  }

  telelink_control_lease lease;
  LeaseTold told;
  support::Robot robot;
};

TEST_F(ControlLease, DefaultsNeedControlForEverything) {
  EXPECT_EQ(lease.timeout_ms, 3000U);
  for (const auto* patterns : {lease.publish, lease.call, lease.set})
    EXPECT_EQ(support::string(*patterns), "*");
  EXPECT_EQ(lease.publish_count + lease.call_count + lease.set_count, 3U);
}

TEST_F(ControlLease, TheRobotHearsWhoHoldsControlAndThatItEnded) {
  robot.start();
  robot.join();
  take();
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  ASSERT_TRUE(told.told.wait(2));
  telelink_session_free(robot.release());
  EXPECT_EQ(told.dropped.count(), 1);
  EXPECT_EQ(told.lines, (std::vector<std::string>{"taken operator", "lost operator 2"}));
}

TEST_F(ControlLease, ASilentHolderLosesControl) {
  lease.timeout_ms = 500;
  robot.start();
  robot.join();
  EXPECT_EQ(telelink_test_viewer_set_heartbeat(robot.viewer, 2), TELELINK_STATUS_INVALID_VALUE);
  ASSERT_EQ(telelink_test_viewer_set_heartbeat(robot.viewer, 0), TELELINK_STATUS_OK);
  take();
  ASSERT_TRUE(told.told.wait(2));
  const std::lock_guard lock{told.mutex};
  EXPECT_EQ(told.lines, (std::vector<std::string>{"taken operator", "lost operator 4"}));
}

TEST_F(ControlLease, WorksWithoutCallbacks) {
  lease.on_taken = nullptr;
  lease.on_lost = nullptr;
  robot.start();
  robot.join();
  take();
  telelink_session_free(robot.release());
  EXPECT_EQ(told.dropped.count(), 1);
  EXPECT_EQ(told.told.count(), 0);
}

TEST_F(ControlLease, WrongValuesAreNamedAndTheContextIsConsumed) {
  int dropped = 0;
  const auto expect = [&](telelink_status status, const std::string& message) {
    EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), status);
    EXPECT_EQ(std::string{telelink_last_error_message()}.rfind(message, 0), 0U) << telelink_last_error_message();
    EXPECT_EQ(told.dropped.count(), ++dropped);
  };
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{499}, std::uint64_t{60'001}, UINT64_MAX}) {
    lease.timeout_ms = wrong;
    expect(TELELINK_STATUS_INVALID_VALUE, "control_lease.timeout is ");
  }
  lease.timeout_ms = 500;
  lease.publish = nullptr;
  expect(TELELINK_STATUS_NULL_ARGUMENT, "control_lease.publish.data is NULL but control_lease.publish.len is 1");
}

}  // namespace

// The library's own log: it reaches the receiver, shows no token, and the receiver is dropped once.
#include "support.hpp"

#include <string>
#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

struct Receiver {
  std::mutex mutex;
  std::vector<std::string> lines;
  Event any, dropped;
};

void on_record(void* context, const telelink_log_record* record) {
  auto& receiver = *static_cast<Receiver*>(context);
  EXPECT_EQ(record->struct_size, sizeof *record);
  EXPECT_GE(record->level, TELELINK_LOG_LEVEL_ERROR);
  EXPECT_LE(record->level, TELELINK_LOG_LEVEL_TRACE);
  EXPECT_GT(record->time_ns, 1'577'836'800'000'000'000ULL);
  {
    const std::lock_guard lock{receiver.mutex};
    receiver.lines.push_back(support::string(record->target) + ": " + support::string(record->message));
  }
  receiver.any.set();
}

telelink_log_callbacks callbacks(Receiver& receiver) {
  telelink_log_callbacks made;
  EXPECT_EQ(telelink_log_callbacks_init(&made, sizeof made), TELELINK_STATUS_OK);
  made.context = &receiver;
  made.drop = [](void* context) { static_cast<Receiver*>(context)->dropped.set(); };
  made.on_record = &on_record;
  return made;
}

TEST(Log, ReachesTheReceiverAndShowsNoToken) {
  Receiver receiver;
  const auto table = callbacks(receiver);
  ASSERT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_TRACE, &table), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  support::Robot robot;
  const auto token = support::string(robot.options.token);
  ASSERT_EQ(telelink_test_server_set_reachable(robot.server, 0), TELELINK_STATUS_OK);
  robot.start();
  ASSERT_TRUE(receiver.any.wait()) << "a failed join is worth a line";
  telelink_session_free(robot.release());

  ASSERT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_OFF, nullptr), TELELINK_STATUS_OK);
  ASSERT_TRUE(receiver.dropped.wait());
  EXPECT_EQ(receiver.dropped.count(), 1);
  const std::lock_guard lock{receiver.mutex};
  for (const auto& line : receiver.lines)
    EXPECT_EQ(line.find(token), std::string::npos) << line;
}

TEST(Log, ReceiverCanBeReplacedFromItself) {
  struct Replacing : Receiver {
    telelink_status status = TELELINK_STATUS_INTERNAL;
  } receiver;
  auto table = callbacks(receiver);
  table.context = static_cast<void*>(&receiver);
  table.drop = [](void* context) { static_cast<Replacing*>(context)->dropped.set(); };
  table.on_record = [](void* context, const telelink_log_record*) {
    auto& me = *static_cast<Replacing*>(context);
    me.status = telelink_log_set_callbacks(TELELINK_LOG_LEVEL_OFF, nullptr);
    me.any.set();
  };
  ASSERT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_WARN, &table), TELELINK_STATUS_OK);
  support::Robot robot;
  ASSERT_EQ(telelink_test_server_set_reachable(robot.server, 0), TELELINK_STATUS_OK);
  robot.start();
  ASSERT_TRUE(receiver.any.wait());
  ASSERT_TRUE(receiver.dropped.wait());
  EXPECT_EQ(receiver.status, TELELINK_STATUS_OK);
  EXPECT_EQ(receiver.dropped.count(), 1);
}

TEST(Log, LevelIsChecked) {
  for (const int level : {-1, 6, 1000}) {
    EXPECT_EQ(telelink_log_set_callbacks(level, nullptr), TELELINK_STATUS_INVALID_VALUE);
    EXPECT_EQ(telelink_log_to_stderr(level), TELELINK_STATUS_INVALID_VALUE);
  }
  Receiver receiver;
  const auto table = callbacks(receiver);
  EXPECT_EQ(telelink_log_set_callbacks(9, &table), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_EQ(receiver.dropped.count(), 1) << "a context is consumed on failure too";
}

TEST(Log, GoesToStandardError) {
  ::testing::internal::CaptureStderr();
  ASSERT_EQ(telelink_log_to_stderr(TELELINK_LOG_LEVEL_WARN), TELELINK_STATUS_OK);
  support::Robot robot;
  ASSERT_EQ(telelink_test_server_set_reachable(robot.server, 0), TELELINK_STATUS_OK);
  robot.start();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{wait_ms};
  while (telelink_session_last_error(robot.session) == TELELINK_STATUS_OK) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  telelink_session_free(robot.release());
  // The receiver's drop stands behind every record in the queue.
  Receiver flush;
  const auto table = callbacks(flush);
  ASSERT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_OFF, &table), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_log_set_callbacks(TELELINK_LOG_LEVEL_OFF, nullptr), TELELINK_STATUS_OK);
  ASSERT_TRUE(flush.dropped.wait());
  const auto text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(" WARN  telelink"), std::string::npos) << text;
}

}  // namespace

// A process that forks, and one that ends with a session alive.
#include "support.hpp"

#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using support::text;

TEST(Process, ForkedChildIsToldThatItCannotGoOn) {
  support::Robot robot;
  robot.start();
  telelink_channel* channel = nullptr;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/a"), nullptr, &channel), TELELINK_STATUS_OK);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // No GoogleTest in here: the exit code says which step failed.
    telelink_context* context = nullptr;
    if (telelink_context_create(&context) != TELELINK_STATUS_CLOSED) _exit(1);
    if (telelink_channel_log(channel, telelink_text_data("1")) != TELELINK_STATUS_CLOSED) _exit(2);
    if (telelink_session_close(robot.session, 1000) != TELELINK_STATUS_CLOSED) _exit(3);
    if (support::string(telelink_text(telelink_last_error_message())).find("forked") == std::string::npos) _exit(4);
    telelink_session_free(robot.session);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(telelink_channel_log(channel, telelink_text_data("1")), TELELINK_STATUS_OK) << "the parent goes on";
  telelink_channel_free(channel);
}

TEST(ProcessDeathTest, MayEndWithASessionAlive) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        // Never freed, as in a program that leaves by exit().
        auto* robot = new support::Robot;
        static support::Event connected;
        robot->callbacks.on_status = [](void*, telelink_connection_status status, telelink_status, telelink_str) {
          if (status == TELELINK_CONNECTION_STATUS_CONNECTED) connected.set();
        };
        robot->start();
        if (!connected.wait()) std::_Exit(1);
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace

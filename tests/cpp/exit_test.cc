// How programs end: exit(), SIGTERM, static destructors, fork; two sessions and two contexts in each. On the memory
// room.
#include "exits.hpp"

#include <string>

namespace {

using support::Options;

/// Robots of one server that is never freed: exit() must not depend on that.
Options robots() {
  auto* server = new telelink::testing::Server;
  return [server](int number) {
    telelink::SessionOptions options;
    options.url = server->url();
    options.token = server->token("yard", "robot-" + std::to_string(number));
    return options;
  };
}

class ExitDeathTest : public ::testing::Test {
 protected:
  // Each child runs this program from its beginning, so that no thread is missing.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ExitDeathTest, ByExitWhileBusy) {
  EXPECT_EXIT(support::exit_while_busy(robots()), ::testing::ExitedWithCode(0), "");
}

TEST_F(ExitDeathTest, BySigterm) {
  EXPECT_EXIT(support::terminate_while_busy(robots()), ::testing::KilledBySignal(SIGTERM), "");
}

TEST_F(ExitDeathTest, BySigtermThatIsHandled) {
  EXPECT_EXIT(support::close_on_sigterm(robots()), ::testing::ExitedWithCode(0), "");
}

TEST_F(ExitDeathTest, WithStaticsOlderThanTheLibrary) {
  EXPECT_EXIT(support::exit_with_statics_older_than_the_library(robots()), ::testing::ExitedWithCode(0), "");
}

TEST_F(ExitDeathTest, WithStaticsYoungerThanTheLibrary) {
  EXPECT_EXIT(support::exit_with_statics_younger_than_the_library(robots()), ::testing::ExitedWithCode(0), "");
}

TEST_F(ExitDeathTest, AfterForks) {
  EXPECT_EXIT(support::fork_while_busy(robots()), ::testing::ExitedWithCode(0), "");
}

}  // namespace

// How programs end: exit(), SIGTERM, static destructors, fork; two sessions and two contexts in each. On the memory
// room.
#include "exits.hpp"

#include <string>
#include <utility>

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

TEST(TwoSessions, OfTwoContextsDoNotMeetAndEndApart) {
  telelink::testing::Server server;
  telelink::Context first_context;
  telelink::Context second_context;
  auto first = telelink::Session::start(first_context, support::robot(server));
  auto options = support::robot(server);
  options.token = server.token("shed", "robot");
  const auto second = telelink::Session::start(second_context, std::move(options));
  ASSERT_TRUE(first && second);
  const auto a = first_context.channel("/a", telelink::json());
  const auto b = second_context.channel("/b", telelink::json());
  ASSERT_TRUE(a && b);
  auto yard = server.viewer("yard", "operator");
  auto shed = server.viewer("shed", "operator");
  ASSERT_TRUE(yard && shed);
  ASSERT_TRUE(yard->wait_channel("/a"));
  ASSERT_TRUE(shed->wait_channel("/b"));
  EXPECT_TRUE(yard->wait_no_channel("/b"));
  EXPECT_TRUE(shed->wait_no_channel("/a"));
  ASSERT_TRUE(shed->subscribe("/b"));
  ASSERT_TRUE(first->close(std::chrono::seconds{20}));
  EXPECT_EQ(second->status(), telelink::ConnectionStatus::connected);
  EXPECT_EQ(b->log("2"), telelink::Status::ok);
  const auto message = shed->next_message();
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->payload, "2");
}

}  // namespace

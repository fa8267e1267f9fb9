// What the options leave open comes from the environment. The names, and which wins, are in docs/environment.md.
#include "support.hpp"

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

namespace {

/// A variable of the environment that is set until the end of the test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_{name} { setenv(name, value.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

/// The name that viewers are shown of a robot with these options.
std::string shown_name(telelink::testing::Server& server, telelink::SessionOptions options) {
  telelink::Context context;
  const auto session = telelink::Session::start(context, std::move(options));
  EXPECT_TRUE(session) << session.error().message;
  const auto viewer = server.viewer("yard", "operator");
  EXPECT_TRUE(viewer) << viewer.error().message;
  const auto name = viewer->robot_name();
  return name ? *name : name.error().message;
}

TEST(Environment, GivesTokenAndNameThatTheOptionsLeaveOpen) {
  telelink::testing::Server server;
  const Variable token{"LIVEKIT_TOKEN", server.token("yard", "robot") + "\n"};
  const Variable name{"TELELINK_NAME", "from the environment"};
  telelink::SessionOptions options;
  options.url = server.url();
  EXPECT_EQ(shown_name(server, std::move(options)), "from the environment");
}

TEST(Environment, LosesAgainstTheOptions) {
  telelink::testing::Server server;
  const Variable token{"LIVEKIT_TOKEN", "nonsense"};
  const Variable url{"LIVEKIT_URL", "ws://127.0.0.1:1"};
  const Variable name{"TELELINK_NAME", "from the environment"};
  EXPECT_EQ(shown_name(server, support::robot(server)), "digger");
}

TEST(Environment, ApiKeyIsCompletedFieldByField) {
  const Variable key{"LIVEKIT_API_KEY", "key"};
  const Variable secret{"LIVEKIT_API_SECRET", "secret"};
  telelink::testing::Server server;
  telelink::Context context;
  telelink::SessionOptions options;
  options.url = server.url();
  options.api_key = telelink::ApiKey{};
  options.api_key->room = "yard";
  const auto refused = telelink::Session::start(context, std::move(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "options.api_key.identity is empty, and so is TELELINK_IDENTITY in the environment");
}

TEST(EnvironmentDeathTest, NamesTheLevelOfALogOnStandardError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto robot = [](const char* level) {
    setenv("TELELINK_LOG", level, 1);
    telelink::testing::Server server;
    server.set_reachable(false);
    telelink::Context context;
    auto session = telelink::Session::start(context, support::robot(server));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!session->last_error() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    if (!session->close(std::chrono::seconds{20})) std::_Exit(2);
    // The destruction of the next receiver stands behind every record in the queue.
    support::Count ended;
    const auto flush = telelink::set_log(telelink::LogLevel::off,
                                         [end = support::counts_its_end(ended)](const telelink::LogRecord&) {});
    if (!flush || !telelink::set_log(telelink::LogLevel::off, {}) || !ended.wait()) std::_Exit(1);
    std::_Exit(0);
  };
  EXPECT_EXIT(robot("info"), ::testing::ExitedWithCode(0), "WARN +telelink::gateway::direct: not connected");
  EXPECT_EXIT(robot("error"), ::testing::ExitedWithCode(0), "^$");
  EXPECT_EXIT(robot("loud"), ::testing::ExitedWithCode(0), "TELELINK_LOG is none of off, error");
}

}  // namespace

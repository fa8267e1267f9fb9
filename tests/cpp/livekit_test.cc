// Sessions on a real LiveKit server. LIVEKIT_SERVER names its program and TELELINK_LIVEKIT_LIBRARY (or the build's own
// lib/telelink/) the library; without them these tests fail. scripts/env.sh sets both.
#include "exits.hpp"
#include "support.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace {

using support::Count;
using telelink::ConnectionStatus;
using telelink::Session;
using telelink::Status;

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int free_port(int type) {
  const int fd = socket(AF_INET, type, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ADD_FAILURE() << "no free port";
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

bool answers(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const auto address = loopback(port);
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

/// A LiveKit server on loopback. It ends with the suite, and with this process however that ends: its shell waits for
/// the end of a pipe from us.
class LiveKit : public ::testing::Test {
 protected:
  /// Starts the server with the first test. In SetUpTestSuite() a failure would only skip the tests.
  void SetUp() override {
    if (shell_ != nullptr) return;
    const char* program = std::getenv("LIVEKIT_SERVER");
    ASSERT_NE(program, nullptr)
        << "LIVEKIT_SERVER must name the livekit-server program (scripts/get-livekit-server.sh)";
    port_ = free_port(SOCK_STREAM);
    const std::string config = "port: " + std::to_string(port_) +
                               "\nrtc:\n  tcp_port: " + std::to_string(free_port(SOCK_STREAM)) +
                               "\n  udp_port: " + std::to_string(free_port(SOCK_DGRAM)) +
                               "\n  use_external_ip: false\n  enable_loopback_candidate: true\n"
                               "  interfaces:\n    includes: [lo]\n";
    const std::string command = std::string{"'"} + program +
                                "' --dev --bind 127.0.0.1 --node-ip 127.0.0.1 --config-body '" + config +
                                "' </dev/null >/dev/null 2>&1 & read -r _; kill -9 $!";
    shell_ = popen(command.c_str(), "w");
    ASSERT_NE(shell_, nullptr);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!answers(port_)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << program << " does not answer on port " << port_;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }

  static void TearDownTestSuite() {
    if (shell_ != nullptr) pclose(shell_);
    shell_ = nullptr;
  }

  static telelink::SessionOptions options() {
    telelink::SessionOptions options;
    options.url = "ws://127.0.0.1:" + std::to_string(port_);
    options.name = "digger";
    // What `livekit-server --dev` accepts.
    options.api_key = telelink::ApiKey{"devkey", "secret", "yard", "robot"};
    return options;
  }

  static int port_;
  static FILE* shell_;
};

int LiveKit::port_ = 0;
FILE* LiveKit::shell_ = nullptr;

// S-44, with a key pair that makes the token.
TEST_F(LiveKit, SessionJoinsLogsAndLeaves) {
  telelink::Context context;
  Count connected;
  auto robot = options();
  robot.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error*) {
    if (status == ConnectionStatus::connected) connected.add();
  };
  const auto session = Session::start(context, std::move(robot));
  ASSERT_TRUE(session) << session.error().message;
  const auto battery = context.channel("/battery", telelink::json());
  ASSERT_TRUE(battery);
  const bool joined = connected.wait();
  const auto error = session->last_error();
  ASSERT_TRUE(joined) << (error ? error->message : "no error");
  EXPECT_EQ(battery->log("{}"), Status::ok);
  const auto stats = session->stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->joins, 1U);
  const auto closed = session->close(std::chrono::seconds{20});
  EXPECT_TRUE(closed) << closed.error().message;
  EXPECT_EQ(session->status(), ConnectionStatus::shutdown);
}

TEST_F(LiveKit, GarbageTokenIsUnauthorizedAndNotShown) {
  telelink::Context context;
  auto robot = options();
  robot.api_key.reset();
  robot.token = "garbage-that-is-no-token";
  const auto session = Session::start(context, std::move(robot));
  ASSERT_TRUE(session) << session.error().message;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  std::optional<telelink::Error> error;
  while (!(error = session->last_error()) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, Status::unauthorized) << error->message;
  EXPECT_EQ(error->message.find("garbage-that-is-no-token"), std::string::npos) << error->message;
}

TEST_F(LiveKit, UrlThatNobodyAnswersIsConnectFailed) {
  telelink::Context context;
  auto robot = options();
  robot.url = "ws://127.0.0.1:" + std::to_string(free_port(SOCK_STREAM));
  const auto session = Session::start(context, std::move(robot));
  ASSERT_TRUE(session) << session.error().message;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  std::optional<telelink::Error> error;
  while (!(error = session->last_error()) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, Status::connect_failed) << error->message;
}

/// Each child starts a server of its own.
class LiveKitDeathTest : public LiveKit {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    LiveKit::SetUp();
  }

  static telelink::SessionOptions robot(int number) {
    auto robot = options();
    robot.api_key->identity = "robot-" + std::to_string(number);
    return robot;
  }
};

TEST_F(LiveKitDeathTest, ExitWhileBusy) {
  EXPECT_EXIT(support::exit_while_busy(robot), ::testing::ExitedWithCode(0), "");
}

TEST_F(LiveKitDeathTest, Sigterm) {
  EXPECT_EXIT(support::terminate_while_busy(robot), ::testing::KilledBySignal(SIGTERM), "");
}

TEST_F(LiveKitDeathTest, SigtermThatIsHandled) {
  EXPECT_EXIT(support::close_on_sigterm(robot), ::testing::ExitedWithCode(0), "");
}

TEST_F(LiveKitDeathTest, StaticsOlderThanTheLibrary) {
  EXPECT_EXIT(support::exit_with_statics_older_than_the_library(robot), ::testing::ExitedWithCode(0), "");
}

TEST_F(LiveKitDeathTest, StaticsYoungerThanTheLibrary) {
  EXPECT_EXIT(support::exit_with_statics_younger_than_the_library(robot), ::testing::ExitedWithCode(0), "");
}

TEST_F(LiveKitDeathTest, Forks) {
  EXPECT_EXIT(support::fork_while_busy(robot), ::testing::ExitedWithCode(0), "");
}

}  // namespace

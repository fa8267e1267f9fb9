// The idle window of the C++ wrapper, on the in-memory room.
#include "support.hpp"

#include <optional>
#include <string>
#include <utility>

namespace {

using support::Count;
using telelink::AfterIdle;
using telelink::ConnectionStatus;
using telelink::Session;
using telelink::Status;

TEST(Idle, LeavesAndComesBackWhenAsked) {
  telelink::testing::Server server;
  telelink::Context context;
  Count connected, idle;
  auto options = support::robot(server);
  options.idle_window = std::chrono::seconds{1};
  options.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error* reason) {
    if (status == ConnectionStatus::connected) connected.add();
    if (status == ConnectionStatus::connecting && reason != nullptr && reason->status == Status::idle) idle.add();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(connected.wait());
  ASSERT_TRUE(idle.wait());
  EXPECT_EQ(session->status(), ConnectionStatus::connecting);
  const auto why = session->last_error();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->message, "no viewer for 1 s; the room was left");
  EXPECT_EQ(connected.get(), 1);
  EXPECT_TRUE(session->resume());
  ASSERT_TRUE(connected.wait(2));
  // A viewer keeps it.
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  EXPECT_TRUE(viewer->robot_name());
  const auto closed = session->close();
  EXPECT_TRUE(closed) << closed.error().message;
  EXPECT_EQ(session->resume().status(), Status::closed);
}

TEST(Idle, ResumesFromInsideTheCallback) {
  telelink::testing::Server server;
  telelink::Context context;
  Count connected;
  std::optional<Session> session;
  Count ready;
  auto options = support::robot(server);
  options.idle_window = std::chrono::seconds{1};
  options.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error* reason) {
    ready.wait();
    if (status == ConnectionStatus::connected) connected.add();
    if (reason != nullptr && reason->status == Status::idle) {
      EXPECT_TRUE(session->resume());
      throw 1;
    }
  };
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  ready.add();
  EXPECT_TRUE(connected.wait(2));
  session.reset();
}

TEST(Idle, OrEndsTheSession) {
  telelink::testing::Server server;
  telelink::Context context;
  Count ended;
  auto options = support::robot(server);
  options.idle_window = std::chrono::seconds{1};
  options.after_idle = AfterIdle::end;
  options.callbacks.on_status = [&](ConnectionStatus status, const telelink::Error* reason) {
    if (status != ConnectionStatus::shutdown) return;
    EXPECT_TRUE(reason != nullptr && reason->status == Status::idle);
    ended.add();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(ended.wait());
  EXPECT_EQ(session->status(), ConnectionStatus::shutdown);
}

TEST(Idle, RefusesWindowsAndChoicesThatCannotBe) {
  telelink::testing::Server server;
  telelink::Context context;
  const std::pair<int, const char*> windows[] = {{999, "options.idle_window is 0.999 s, less than 1 s"},
                                                 {-1, "options.idle_window is negative: -1 ms"}};
  for (const auto& [window, message] : windows) {
    auto options = support::robot(server);
    options.idle_window = std::chrono::milliseconds{window};
    const auto refused = Session::start(context, std::move(options));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, Status::invalid_value);
    EXPECT_EQ(refused.error().message, message);
  }
  auto options = support::robot(server);
  options.after_idle = static_cast<AfterIdle>(2);
  const auto refused = Session::start(context, std::move(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "options.after_idle is 2, which is no telelink_after_idle");
}

}  // namespace

// The code of docs/idle.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>

namespace {

TEST(Idle, LeavesTheRoomAndComesBack) {
  std::mutex mutex;
  std::condition_variable changed;
  bool left = false;
  const auto left_the_room = [&] {
    const std::lock_guard lock{mutex};
    left = true;
    changed.notify_all();
  };
  Page page;
  auto& options = page.options;
  options.idle_window = std::chrono::minutes{5};
  options.after_idle = telelink::AfterIdle::wait;  // the default
  options.idle_window = std::chrono::seconds{1};   // a test has no five minutes
  options.callbacks.on_status = [&](telelink::ConnectionStatus status, const telelink::Error* reason) {
    if (status == telelink::ConnectionStatus::connecting && reason && reason->status == telelink::Status::idle)
      left_the_room();
  };
  auto session = telelink::Session::start(page.context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  std::unique_lock lock{mutex};
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds{20}, [&] { return left; }));
  lock.unlock();
  if (auto resumed = session->resume(); !resumed) std::cerr << resumed.error().message << '\n';
  auto viewer = page.server.viewer("yard", "operator");
  ASSERT_TRUE(viewer) << viewer.error().message;
  EXPECT_TRUE(viewer->robot_name()) << "the robot is back";
}

}  // namespace

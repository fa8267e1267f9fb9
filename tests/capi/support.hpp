// What the C suites share: a server, a session on it, views, and a context that counts what happens to it.
#pragma once

#include <telelink/telelink.h>
#include <telelink/testing.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace support {

/// Longest wait for something that has to happen; nothing here waits so long when all is well.
inline constexpr std::uint64_t wait_ms = 20'000;

inline telelink_str text(std::string_view view) {
  return telelink_str{view.data(), view.size()};
}

inline std::string string(telelink_str view) {
  return view.len == 0 ? std::string{} : std::string{view.data, view.len};
}

/// An event that one thread waits for and another makes.
class Event {
 public:
  void set() {
    const std::lock_guard lock{mutex_};
    ++count_;
    changed_.notify_all();
  }

  /// Whether it has happened `times` times within the time limit.
  bool wait(int times = 1) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::milliseconds{wait_ms}, [&] { return count_ >= times; });
  }

  int count() {
    const std::lock_guard lock{mutex_};
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// The `drop` of tables whose context is an Event.
inline void drop_event(void* context) {
  static_cast<Event*>(context)->set();
}

/// A context, a memory server, and options for a session on it.
class Robot {
 public:
  Robot() {
    EXPECT_EQ(telelink_context_create(&context), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_test_server_create(&server), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_options_init(&options, sizeof options), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
    options.url = telelink_test_server_url(server);
    EXPECT_EQ(telelink_test_server_token(server, text("yard"), text("robot"), &options.token), TELELINK_STATUS_OK);
    options.name = text("digger");
  }

  Robot(const Robot&) = delete;
  Robot& operator=(const Robot&) = delete;

  ~Robot() {
    telelink_test_viewer_free(viewer);
    telelink_session_free(session);
    telelink_context_free(context);
    telelink_test_server_free(server);
  }

  void start() {
    options.callbacks = &callbacks;
    ASSERT_EQ(telelink_session_create(context, &options, &session), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  void join() {
    ASSERT_EQ(telelink_test_viewer_create(server, text("yard"), text("operator"), wait_ms, &viewer), TELELINK_STATUS_OK)
        << telelink_last_error_message();
  }

  /// Gives the session up without freeing it: a callback has freed it.
  telelink_session* release() {
    telelink_session* released = session;
    session = nullptr;
    return released;
  }

  telelink_context* context = nullptr;
  telelink_test_server* server = nullptr;
  telelink_session* session = nullptr;
  telelink_test_viewer* viewer = nullptr;
  telelink_session_options options;
  telelink_session_callbacks callbacks;
};

}  // namespace support

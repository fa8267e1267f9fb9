// The receiver of the log: it may block, throw, and call telelink, and nothing but the log notices.
#include "support.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::LogLevel;
using telelink::LogRecord;

/// A robot whose first join fails, which is worth a warning.
struct Unreachable {
  telelink::testing::Server server;
  telelink::Context context;
  telelink::Result<telelink::Session> session = start();

  telelink::Result<telelink::Session> start() {
    server.set_reachable(false);
    return telelink::Session::start(context, support::robot(server));
  }
};

TEST(Log, RecordsHaveTimeLevelTargetAndMessage) {
  Count any, ended;
  std::mutex mutex;
  std::vector<std::string> lines;
  const auto before = std::chrono::system_clock::now();
  const auto set =
      telelink::set_log(LogLevel::info, [&, end = support::counts_its_end(ended)](const LogRecord& record) {
        {
          const std::lock_guard lock{mutex};
          lines.push_back(std::string{record.target} + ": " + std::string{record.message});
        }
        EXPECT_GE(record.time, before);
        EXPECT_LE(record.time, std::chrono::system_clock::now());
        if (record.level == LogLevel::warn && record.target == "telelink::gateway::direct") any.add();
      });
  ASSERT_TRUE(set) << set.error().message;
  {
    Unreachable robot;
    EXPECT_TRUE(any.wait());
  }
  ASSERT_TRUE(telelink::set_log(LogLevel::off, {}));
  ASSERT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
  for (const auto& line : lines)
    EXPECT_EQ(line.find("eyJ"), std::string::npos) << "a token in " << line;
}

TEST(Log, ReceiverThatBlocksStallsNothing) {
  Count blocked, release, ended;
  const auto set = telelink::set_log(LogLevel::trace, [&, end = support::counts_its_end(ended)](const LogRecord&) {
    blocked.add();
    EXPECT_TRUE(release.wait());
  });
  ASSERT_TRUE(set) << set.error().message;
  {
    Unreachable robot;
    ASSERT_TRUE(blocked.wait());
    // The receiver stands. A session joins, carries messages and ends all the same.
    telelink::testing::Server server;
    telelink::Context context;
    auto session = telelink::Session::start(context, support::robot(server));
    ASSERT_TRUE(session) << session.error().message;
    telelink::ChannelOptions reliable;
    reliable.qos = telelink::Qos::reliable;
    const auto channel = context.channel("/a", telelink::json(), reliable);
    ASSERT_TRUE(channel);
    const auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer) << viewer.error().message;
    ASSERT_TRUE(viewer->subscribe("/a"));
    for (int n = 0; n < 100; ++n)
      ASSERT_EQ(channel->log(std::to_string(n)), telelink::Status::ok);
    for (int n = 0; n < 100; ++n) {
      const auto message = viewer->next_message();
      ASSERT_TRUE(message) << message.error().message;
      EXPECT_EQ(message->payload, std::to_string(n));
    }
    EXPECT_TRUE(session->close(std::chrono::seconds{20}));
    EXPECT_EQ(blocked.get(), 1) << "the receiver was still standing";
  }
  // Changing the receiver does not wait either.
  ASSERT_TRUE(telelink::set_log(LogLevel::off, {}));
  EXPECT_EQ(ended.get(), 0);
  release.add();
  EXPECT_TRUE(ended.wait()) << "the receiver ends when it returns";
}

TEST(Log, WhatAReceiverThrowsStaysInIt) {
  Count times, ended;
  ::testing::internal::CaptureStderr();
  const auto set = telelink::set_log(LogLevel::warn, [&, end = support::counts_its_end(ended)](const LogRecord&) {
    times.add();
    throw std::runtime_error{"a broken receiver"};
  });
  ASSERT_TRUE(set) << set.error().message;
  {
    Unreachable robot;
    EXPECT_TRUE(times.wait(2)) << "it is called again after it has thrown";
  }
  ASSERT_TRUE(telelink::set_log(LogLevel::off, {}));
  EXPECT_TRUE(ended.wait());
  const auto text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("the log receiver threw an exception: a broken receiver"), std::string::npos) << text;
}

// S-263.
TEST(Log, ASlowCallbackIsAWarningAndOnce) {
  Count told, ended;
  std::mutex mutex;
  std::vector<std::string> lines;
  const auto set =
      telelink::set_log(LogLevel::warn, [&, end = support::counts_its_end(ended)](const LogRecord& record) {
        const std::string line{record.message};
        if (line.find("a callback of the application was slow") == std::string::npos) return;
        // Others can be slow too, on a busy machine.
        if (line.find("on_subscribe") == std::string::npos) return;
        EXPECT_EQ(record.level, LogLevel::warn);
        {
          const std::lock_guard lock{mutex};
          lines.push_back(line);
        }
        told.add();
      });
  ASSERT_TRUE(set) << set.error().message;
  {
    telelink::testing::Server server;
    telelink::Context context;
    const auto battery = context.channel("/battery", telelink::json());
    ASSERT_TRUE(battery);
    auto options = support::robot(server);
    options.callbacks.on_subscribe = [](telelink::ClientView, telelink::ChannelView) {
      // The time it takes is what is tried here; nobody wakes it.
      std::mutex never;
      std::condition_variable nobody;
      std::unique_lock lock{never};
      nobody.wait_for(lock, std::chrono::milliseconds{150}, [] { return false; });
    };
    const auto session = telelink::Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    const auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer) << viewer.error().message;
    ASSERT_TRUE(viewer->subscribe("/battery"));
    EXPECT_TRUE(told.wait());
  }
  ASSERT_TRUE(telelink::set_log(LogLevel::off, {}));
  ASSERT_TRUE(ended.wait());
  ASSERT_EQ(lines.size(), 1U);
  const auto at = lines[0].find(" ms=");
  ASSERT_NE(at, std::string::npos) << lines[0];
  EXPECT_GE(std::stoi(lines[0].substr(at + 4)), 150) << lines[0];
}

TEST(Log, ReceiverMayCallTelelinkAndIsNotToldWhatItCausesItself) {
  Count done, ended;
  int calls = 0;  // on one thread
  const auto set = telelink::set_log(LogLevel::info, [&, end = support::counts_its_end(ended)](const LogRecord&) {
    if (++calls > 1) return;
    // Logs on this thread, starts and destroys a session, and calls for another receiver.
    const auto bad = telelink::Session::start(telelink::Context{}, telelink::SessionOptions{});
    EXPECT_FALSE(bad);
    {
      Unreachable inner;
      EXPECT_TRUE(inner.session);
    }
    EXPECT_TRUE(telelink::set_log(LogLevel::off, {}));
    done.add();
  });
  ASSERT_TRUE(set) << set.error().message;
  Unreachable robot;
  ASSERT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
}

}  // namespace

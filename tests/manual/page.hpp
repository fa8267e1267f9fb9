// What the tests of the manual's pages share: a robot and its viewer on the in-memory room.
#pragma once

#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <unistd.h>
#include <utility>

/// A robot that is not started yet, and its server. A page's code fills `options`.
class Page {
 public:
  Page() {
    options.url = server.url();
    options.token = server.token("yard", "robot");
  }

  /// Starts the session with the options as they are now, and lets a viewer "operator" join.
  void start() {
    auto started = telelink::Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    auto joined = server.viewer("yard", "operator");
    ASSERT_TRUE(joined) << joined.error().message;
    viewer.emplace(std::move(*joined));
    ASSERT_TRUE(viewer->robot_name());
  }

  /// What a service answers; a test fails without an answer.
  std::string call(const char* service, const char* request) const {
    const auto answer = viewer->call(service, "json", request);
    EXPECT_TRUE(answer) << answer.error().message;
    if (!answer) return "";
    return answer->failed ? "failed: " + answer->message : answer->payload;
  }

  telelink::testing::Server server;
  telelink::Context context;
  telelink::SessionOptions options;
  std::optional<telelink::Session> session;
  std::optional<telelink::testing::Viewer> viewer;
};

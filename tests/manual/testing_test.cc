// The code of docs/testing.md. A test of the repository compares both.
#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace {

TEST(Battery, IsShown) {
  telelink::testing::Server server;
  telelink::Context context;
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "robot");
  auto session = telelink::Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto battery = context.channel("/battery", telelink::json());

  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer->subscribe("/battery"));
  battery->log(R"({"percent": 81})");

  auto message = viewer->next_message();
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->payload, R"({"percent": 81})");
}

TEST(Links, CanBeBad) {
  const telelink::testing::Server server;
  const telelink::Context context;
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "robot");
  const auto session = telelink::Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(server.viewer("yard", "operator")->robot_name());
  server.set_reachable(false);  // every link breaks, every join fails
  server.set_reachable(true);
  if (auto done = server.disconnect("robot"); !done) FAIL() << done.error().message;  // it joins again
  if (auto done = server.set_loss(0.2); !done) FAIL() << done.error().message;        // of lossy messages
  if (auto done = server.set_delay(std::chrono::milliseconds{80}); !done) FAIL() << done.error().message;
  EXPECT_TRUE(server.viewer("yard", "another")->robot_name()) << "over the slow link";
}

}  // namespace

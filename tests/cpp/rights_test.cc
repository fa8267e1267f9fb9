// Who may do what: the policy by role, and the question to the application.
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::Action;
using telelink::Session;

telelink::SessionOptions with_services(const telelink::testing::Server& server) {
  auto options = support::robot(server);
  options.capabilities = telelink::Capabilities::client_publish;
  options.supported_encodings = {"json"};
  for (const char* name : {"/lamp", "/drive"}) {
    options.services.push_back(telelink::Service{
        name, "",
        [](const telelink::ServiceRequest&, telelink::ServiceResponder responder) { responder.respond("1"); }});
  }
  return options;
}

TEST(Rights, WhatNoRoleAllowsLooksAsIfTheRobotDidNotOfferIt) {
  telelink::testing::Server server;
  telelink::Context context;
  auto options = with_services(server);
  options.rights = telelink::Rights{};
  options.rights->roles["operator"] = telelink::RoleRules::everything();
  options.rights->default_role.call = {"/la*"};
  options.rights->default_role.subscribe = {"/open"};
  auto open = context.channel("/open", telelink::json());
  auto closed = context.channel("/closed", telelink::json());
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "guest");
  ASSERT_TRUE(viewer);
  const auto lamp = viewer->call("/lamp", "json", "");
  ASSERT_TRUE(lamp) << lamp.error().message;
  EXPECT_FALSE(lamp->failed) << lamp->message;
  const auto drive = viewer->call("/drive", "json", "");
  ASSERT_TRUE(drive) << drive.error().message;
  EXPECT_TRUE(drive->failed);
  EXPECT_EQ(drive->message, "Server does not support services");
  EXPECT_TRUE(viewer->advertise(1, "/joy"));
  auto status = viewer->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->message, "Server does not support clientPublish capability");
  ASSERT_TRUE(viewer->subscribe("/open"));
  EXPECT_TRUE(open->is_wanted());
  EXPECT_TRUE(viewer->subscribe("/closed"));
  status = viewer->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->message.rfind("Unknown channel ID: ", 0), 0U) << status->message;
  EXPECT_FALSE(closed->is_wanted());
}

TEST(Rights, TheApplicationIsAskedOnceForEachSubject) {
  telelink::testing::Server server;
  telelink::Context context;
  std::mutex mutex;
  std::vector<std::string> asked;
  auto options = with_services(server);
  options.authorize = [&](telelink::ClientView client, Action action, std::string_view subject) {
    const std::lock_guard lock{mutex};
    asked.push_back(std::string{client.identity()} + " " + std::to_string(static_cast<int>(action)) + " " +
                    std::string{subject});
    return subject != "/drive";
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  for (int i = 0; i < 2; ++i) {
    const auto lamp = viewer->call("/lamp", "json", "");
    ASSERT_TRUE(lamp) << lamp.error().message;
    EXPECT_FALSE(lamp->failed) << lamp->message;
    const auto drive = viewer->call("/drive", "json", "");
    ASSERT_TRUE(drive) << drive.error().message;
    EXPECT_TRUE(drive->failed);
  }
  const std::lock_guard lock{mutex};
  EXPECT_EQ(asked, (std::vector<std::string>{"operator 2 /lamp", "operator 2 /drive"}));
}

TEST(Rights, AQuestionThatThrowsRefuses) {
  telelink::testing::Server server;
  telelink::Context context;
  auto options = with_services(server);
  options.authorize = [](telelink::ClientView, Action, std::string_view subject) -> bool {
    if (subject == "/drive") throw 1;
    return true;
  };
  ::testing::internal::CaptureStderr();
  {
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    auto viewer = server.viewer("yard", "operator");
    ASSERT_TRUE(viewer);
    const auto drive = viewer->call("/drive", "json", "");
    ASSERT_TRUE(drive) << drive.error().message;
    EXPECT_EQ(drive->message, "Server does not support services");
    const auto lamp = viewer->call("/lamp", "json", "");
    ASSERT_TRUE(lamp) << lamp.error().message;
    EXPECT_FALSE(lamp->failed) << lamp->message;
  }
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("authorize threw"), std::string::npos);
}

TEST(Rights, AQuestionThatBlocksDelaysNoOtherViewerAndIsRefused) {
  telelink::testing::Server server;
  telelink::Context context;
  Count entered, go_on;
  auto options = with_services(server);
  options.authorize = [&](telelink::ClientView client, Action, std::string_view) {
    if (client.identity() == "slow") {
      entered.add();
      go_on.wait();
    }
    return true;
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto slow = server.viewer("yard", "slow");
  auto quick = server.viewer("yard", "quick");
  ASSERT_TRUE(slow);
  ASSERT_TRUE(quick);
  std::atomic<bool> refused{false};
  std::thread waiting([&] {
    const auto lamp = slow->call("/lamp", "json", "");
    ASSERT_TRUE(lamp) << lamp.error().message;
    EXPECT_EQ(lamp->message, "Server does not support services");
    refused = true;
  });
  EXPECT_TRUE(entered.wait());
  const auto lamp = quick->call("/lamp", "json", "");
  ASSERT_TRUE(lamp) << lamp.error().message;
  EXPECT_FALSE(lamp->failed) << lamp->message;
  waiting.join();
  EXPECT_TRUE(refused) << "no answer in two seconds is a no";
  go_on.add();
}

TEST(Rights, TheSessionMayBeUsedAndDestroyedInsideTheQuestion) {
  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  Count may_start, done, ended;
  auto options = with_services(server);
  options.authorize = [&, end = support::counts_its_end(ended)](telelink::ClientView client, Action, std::string_view) {
    may_start.wait();
    EXPECT_TRUE(session->client(client.id()));
    EXPECT_TRUE(session->publish_status(telelink::StatusLevel::info, "asked"));
    EXPECT_TRUE(context.channel("/inside", telelink::json()));
    session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
    done.add();
    return true;
  };
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  std::thread calling([&] { (void)viewer->call("/lamp", "json", "", std::chrono::seconds{1}); });
  may_start.add();
  EXPECT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
  calling.join();
}

}  // namespace

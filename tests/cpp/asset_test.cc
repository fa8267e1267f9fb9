// Assets of the C++ wrapper: handlers that answer at once, later, never, that throw, block and end their session; and
// the folder that serves files.
#include "support.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::AssetRequest;
using telelink::AssetResponder;
using telelink::Session;
using telelink::Status;

constexpr std::size_t three_mib = 3u << 20;
constexpr char dropped_text[] = "Internal server error: asset handler failed to send a response";

/// A robot with an asset handler or folder, and a viewer.
class AssetRobot {
 public:
  AssetRobot() : options{support::robot(server)} {}

  void start() {
    auto started = Session::start(context, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    session.emplace(std::move(*started));
    join(viewer, "operator");
  }

  void join(std::optional<telelink::testing::Viewer>& to, const char* identity) const {
    auto joined = server.viewer("yard", identity);
    ASSERT_TRUE(joined) << joined.error().message;
    to.emplace(std::move(*joined));
  }

  /// The asset, or "error: " and its text.
  std::string fetch(std::string_view uri) const {
    const auto answer = viewer->fetch_asset(uri);
    if (!answer) return answer.error().message;
    return answer->failed ? "error: " + answer->message : answer->payload;
  }

  telelink::testing::Server server;
  telelink::Context context;
  telelink::SessionOptions options;
  std::optional<Session> session;
  std::optional<telelink::testing::Viewer> viewer;
};

/// Keeps responders for the test.
class Desk {
 public:
  void keep(AssetResponder responder, std::string uri = {}) {
    {
      const std::lock_guard lock{mutex_};
      kept_.emplace_back(std::move(uri), std::move(responder));
    }
    came.add();
  }

  std::pair<std::string, AssetResponder> take() {
    EXPECT_TRUE(came.wait(++taken_));
    const std::lock_guard lock{mutex_};
    return std::move(kept_.at(static_cast<std::size_t>(taken_) - 1));
  }

  Count came;

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::string, AssetResponder>> kept_;
  int taken_ = 0;
};

TEST(Asset, IsServedByAHandler) {
  AssetRobot robot;
  robot.options.asset_handler = [](const AssetRequest& request, AssetResponder responder) {
    EXPECT_EQ(request.client.identity(), "operator");
    if (request.uri == "large") {
      EXPECT_EQ(responder.respond(std::string(three_mib, 'x')), Status::ok);
    } else if (request.uri == "empty") {
      EXPECT_EQ(responder.respond({}), Status::ok);
    } else if (request.uri == "never") {
      return;
    } else {
      EXPECT_EQ(responder.fail("no such asset: " + std::string{request.uri}), Status::ok);
    }
    EXPECT_EQ(responder.respond("second"), Status::already_responded);
    EXPECT_EQ(responder.fail("third"), Status::already_responded);
  };
  robot.start();
  EXPECT_EQ(robot.fetch("large"), std::string(three_mib, 'x'));
  EXPECT_EQ(robot.fetch("empty"), "");
  EXPECT_EQ(robot.fetch("what"), "error: no such asset: what");
  EXPECT_EQ(robot.fetch("never"), std::string{"error: "} + dropped_text);
}

TEST(Asset, RespondersAnswerLaterFromAnyThread) {
  AssetRobot robot;
  Desk desk;
  robot.options.asset_handler = [&](const AssetRequest&, AssetResponder responder) { desk.keep(std::move(responder)); };
  robot.start();
  const auto id = robot.viewer->start_fetch("a");
  ASSERT_TRUE(id) << id.error().message;
  auto [uri, responder] = desk.take();
  std::thread([responder = std::move(responder)] {
    EXPECT_EQ(responder.respond("later"), Status::ok);
    EXPECT_EQ(responder.respond("again"), Status::already_responded);
  }).join();
  const auto answer = robot.viewer->asset(*id);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->payload, "later");

  // After the viewer left, and after the session has gone.
  ASSERT_TRUE(robot.viewer->start_fetch("b"));
  ASSERT_TRUE(robot.viewer->start_fetch("c"));
  const auto b = desk.take();
  const auto c = desk.take();
  robot.viewer.reset();
  EXPECT_EQ(b.second.respond("nobody"), Status::ok);
  robot.session.reset();
  EXPECT_EQ(c.second.respond("nobody"), Status::ok);
  EXPECT_EQ(c.second.fail("nobody"), Status::already_responded);
}

TEST(Asset, ThirtyTwoLargeOnesAtOnceAllArriveAndTheNextIsRefused) {
  AssetRobot robot;
  Desk desk;
  robot.options.asset_handler = [&](const AssetRequest& request, AssetResponder responder) {
    desk.keep(std::move(responder), std::string{request.uri});
  };
  robot.start();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i) {
    const auto id = robot.viewer->start_fetch(std::string(1, static_cast<char>('A' + i)));
    ASSERT_TRUE(id) << id.error().message;
    ids.push_back(*id);
  }
  ASSERT_TRUE(desk.came.wait(32));
  EXPECT_EQ(robot.fetch("one more"), "error: Too many concurrent fetch asset requests");
  for (int i = 0; i < 32; ++i) {
    const auto [uri, responder] = desk.take();
    EXPECT_EQ(responder.respond(std::string(three_mib, uri.at(0))), Status::ok);
  }
  for (int i = 0; i < 32; ++i) {
    const auto answer = robot.viewer->asset(ids[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(answer) << i << ": " << answer.error().message;
    EXPECT_EQ(answer->payload, std::string(three_mib, static_cast<char>('A' + i)));
  }
  const auto stats = robot.session->stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->viewer_resets, 0U);
}

TEST(Asset, WhatAHandlerThrowsGoesNoFurther) {
  AssetRobot robot;
  robot.options.asset_handler = [](const AssetRequest& request, AssetResponder) {
    if (request.uri == "int") throw 1;
    throw std::runtime_error("no");
  };
  ::testing::internal::CaptureStderr();
  robot.start();
  EXPECT_EQ(robot.fetch("int"), std::string{"error: "} + dropped_text);
  EXPECT_EQ(robot.fetch("exception"), std::string{"error: "} + dropped_text);
  robot.session.reset();
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("an asset handler threw an exception: no"), std::string::npos) << said;
  EXPECT_NE(said.find("an asset handler threw something that is no std::exception"), std::string::npos) << said;
}

TEST(Asset, HandlerMayCallEverything) {
  AssetRobot robot;
  robot.options.capabilities = telelink::Capabilities::services;
  robot.options.supported_encodings = {"json"};
  Count ready, done;
  robot.options.asset_handler = [&](const AssetRequest& request, AssetResponder responder) {
    EXPECT_TRUE(ready.wait());
    const auto& session = *robot.session;
    EXPECT_EQ(session.status(), telelink::ConnectionStatus::connected);
    EXPECT_FALSE(session.last_error());
    EXPECT_TRUE(session.stats());
    const auto client = session.client(request.client.id());
    EXPECT_TRUE(client);
    EXPECT_TRUE(telelink::Client::copy(request.client));
    EXPECT_TRUE(session.add_service(
        telelink::Service{"/made-inside", "", [](const telelink::ServiceRequest&, telelink::ServiceResponder) {}}));
    EXPECT_TRUE(session.remove_service("/made-inside"));
    EXPECT_TRUE(session.publish_status(telelink::StatusLevel::info, "inside", "inside"));
    EXPECT_TRUE(session.remove_status("inside"));
    auto channel = robot.context.channel("/inside", telelink::json());
    EXPECT_TRUE(channel);
    if (channel) {
      EXPECT_EQ(channel->log("{}"), Status::ok);
    }
    EXPECT_EQ(session.close().status(), Status::timeout) << "at once, not after 10 s of waiting for itself";
    EXPECT_EQ(responder.respond("all done"), Status::ok);
    done.add();
  };
  robot.start();
  ready.add();
  ASSERT_TRUE(robot.viewer->start_fetch("x"));
  EXPECT_TRUE(done.wait());
}

TEST(Asset, HandlerMayDestroyTheSession) {
  AssetRobot robot;
  Count ready, done, ended;
  robot.options.asset_handler = [&, end = support::counts_its_end(ended)](const AssetRequest&,
                                                                          AssetResponder responder) {
    EXPECT_TRUE(ready.wait());
    robot.session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running handler";
    EXPECT_EQ(responder.respond("nobody"), Status::ok);
    done.add();
  };
  robot.start();
  ready.add();
  ASSERT_TRUE(robot.viewer->start_fetch("x"));
  ASSERT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST(Asset, StuckHandlersDelayNobodyElse) {
  AssetRobot robot;
  Count entered, go_on;
  robot.options.asset_handler = [&](const AssetRequest& request, AssetResponder responder) {
    if (request.uri == "stuck") {
      entered.add();
      go_on.wait();
    }
    EXPECT_EQ(responder.respond("done"), Status::ok);
  };
  robot.start();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i) {
    const auto id = robot.viewer->start_fetch("stuck");
    ASSERT_TRUE(id);
    ids.push_back(*id);
  }
  ASSERT_TRUE(entered.wait(24));
  std::optional<telelink::testing::Viewer> other;
  robot.join(other, "other");
  auto battery = robot.context.channel("/battery", telelink::json());
  ASSERT_TRUE(battery);
  const auto subscribed = other->subscribe("/battery");
  ASSERT_TRUE(subscribed) << subscribed.error().message;
  EXPECT_EQ(battery->log("{}"), Status::ok);
  const auto message = other->next_message();
  EXPECT_TRUE(message) << message.error().message;
  const auto own = other->fetch_asset("free");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->payload, "done");
  EXPECT_EQ(go_on.get(), 0) << "all of that while the handlers of the first viewer stood still";
  go_on.add();
  for (const auto id : ids) {
    const auto answer = robot.viewer->asset(id);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->payload, "done");
  }
}

TEST(Asset, TimesOut) {
  AssetRobot robot;
  Desk desk;
  robot.options.request_timeout = std::chrono::milliseconds{1};
  robot.options.asset_handler = [&](const AssetRequest&, AssetResponder responder) { desk.keep(std::move(responder)); };
  robot.start();
  EXPECT_EQ(robot.fetch("x"), "error: The asset was not served in time");
  EXPECT_EQ(desk.take().second.respond("late"), Status::ok);
}

TEST(Asset, HandlerIsDestroyedOnceAlsoWhenStartFails) {
  Count ended;
  {
    AssetRobot robot;
    robot.options.asset_handler = [end = support::counts_its_end(ended)](const AssetRequest&, AssetResponder) {};
    robot.start();
    EXPECT_EQ(ended.get(), 0);
  }
  EXPECT_EQ(ended.get(), 1);
  AssetRobot robot;
  robot.options.asset_handler = [end = support::counts_its_end(ended)](const AssetRequest&, AssetResponder) {};
  robot.options.asset_folder = telelink::AssetFolder{};
  const auto failed = Session::start(robot.context, std::move(robot.options));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().status, Status::invalid_value);
  EXPECT_EQ(failed.error().message, "the asset folder has neither packages nor file roots");
  EXPECT_EQ(ended.get(), 2);
}

/// A folder with files, removed in the end.
class Tree {
 public:
  Tree() {
    std::string name = (std::filesystem::temp_directory_path() / "telelink-assets-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root = std::filesystem::canonical(name).string();
    write("arm.stl", "solid arm");
    write("notes.txt", "notes");
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { std::filesystem::remove_all(root); }

  void write(const char* name, const std::string& data) const { std::ofstream(root + "/" + name) << data; }

  std::string root;
};

TEST(AssetFolder, ServesFiles) {
  const Tree tree;
  AssetRobot robot;
  robot.options.asset_folder = telelink::AssetFolder{}.package("robot", tree.root).file_root(tree.root);
  robot.start();
  tree.write("large.stl", std::string(three_mib, 'x'));
  EXPECT_EQ(robot.fetch("package://robot/arm.stl"), "solid arm");
  EXPECT_EQ(robot.fetch("file://" + tree.root + "/arm.stl"), "solid arm");
  EXPECT_EQ(robot.fetch("package://robot/large.stl"), std::string(three_mib, 'x'));
  EXPECT_EQ(robot.fetch("package://robot/%2e%2e/arm.stl"), "error: the path has a part . or ..");
  EXPECT_EQ(robot.fetch("package://robot/notes.txt"), "error: files of this kind are not served");
  EXPECT_EQ(robot.fetch("camera://front"), "error: the robot serves no URIs of this kind");
}

TEST(AssetFolder, GivesTheRestToTheHandlerAndObeysItsLimits) {
  const Tree tree;
  AssetRobot robot;
  telelink::AssetFolder folder;
  folder.package("robot", tree.root).extensions({"txt", ".STL"}).max_size(5);
  robot.options.asset_folder = folder;
  robot.options.asset_handler = [](const AssetRequest& request, AssetResponder responder) {
    EXPECT_EQ(responder.respond(request.uri), Status::ok);
  };
  robot.start();
  EXPECT_EQ(robot.fetch("package://robot/notes.txt"), "notes");
  EXPECT_EQ(robot.fetch("package://robot/arm.stl"), "error: the file is larger than 5 bytes");
  EXPECT_EQ(robot.fetch("package://robot/leg.stl"), "error: there is no such file");
  EXPECT_EQ(robot.fetch("package://other/leg.stl"), "package://other/leg.stl");

  AssetRobot any;
  any.options.asset_folder = telelink::AssetFolder{}.package("robot", tree.root).any_extension();
  tree.write("README", "read me");
  any.start();
  EXPECT_EQ(any.fetch("package://robot/README"), "read me");
}

}  // namespace

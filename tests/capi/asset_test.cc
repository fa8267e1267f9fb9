// Assets: callbacks and their responders, large ones, many at once, and the folder that serves files.
#include "support.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

constexpr std::size_t three_mib = 3u << 20;
constexpr char dropped_text[] = "Internal server error: asset handler failed to send a response";

/// Hands its responders to the test.
struct AssetDesk {
  std::mutex mutex;
  std::vector<telelink_asset_responder*> responders;
  std::vector<std::string> seen;
  Event called, dropped;
  int taken = 0;

  telelink_asset_responder* take() {
    EXPECT_TRUE(called.wait(++taken));
    const std::lock_guard lock{mutex};
    return responders.at(static_cast<std::size_t>(taken) - 1);
  }
};

void on_fetch(void* context, const telelink_asset_request* request, telelink_asset_responder* responder) {
  auto& desk = *static_cast<AssetDesk*>(context);
  EXPECT_EQ(request->struct_size, sizeof *request);
  {
    const std::lock_guard lock{desk.mutex};
    desk.seen.push_back(support::string(telelink_client_identity(request->client)) + " " +
                        support::string(request->uri));
    desk.responders.push_back(responder);
  }
  desk.called.set();
}

telelink_bytes bytes(const std::string& data) {
  return telelink_data(data.data(), data.size());
}

class Assets : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(telelink_asset_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
    callbacks.context = &desk;
    callbacks.drop = [](void* context) { static_cast<AssetDesk*>(context)->dropped.set(); };
    callbacks.on_fetch = &on_fetch;
    robot.options.asset_callbacks = &callbacks;
    ASSERT_EQ(telelink_test_answer_init(&answer, sizeof answer), TELELINK_STATUS_OK);
  }

  void start() {
    robot.start();
    robot.join();
  }

  std::uint32_t fetch(std::string_view uri = "package://robot/arm.stl") { return fetch(robot.viewer, uri); }

  static std::uint32_t fetch(telelink_test_viewer* viewer, std::string_view uri) {
    std::uint32_t id = 0;
    EXPECT_EQ(telelink_test_viewer_fetch_asset(viewer, text(uri), wait_ms, &id), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    return id;
  }

  /// The asset, or "error: " and its text.
  std::string asset(std::uint32_t id) { return asset(robot.viewer, id); }

  std::string asset(telelink_test_viewer* viewer, std::uint32_t id) {
    if (telelink_test_viewer_asset(viewer, id, wait_ms, &answer) != TELELINK_STATUS_OK) {
      return telelink_last_error_message();
    }
    if (answer.failed != 0) return "error: " + support::string(answer.message);
    return {reinterpret_cast<const char*>(answer.payload.data), answer.payload.len};
  }

  std::uint64_t resets() const {
    telelink_session_stats stats;
    EXPECT_EQ(telelink_session_stats_init(&stats, sizeof stats), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_stats_read(robot.session, &stats), TELELINK_STATUS_OK);
    return stats.viewer_resets;
  }

  static void respond(telelink_asset_responder* responder, const std::string& data) {
    EXPECT_EQ(telelink_asset_responder_respond(responder, bytes(data)), TELELINK_STATUS_OK);
    telelink_asset_responder_free(responder);
  }

  AssetDesk desk;
  telelink_asset_callbacks callbacks;
  telelink_test_answer answer;
  support::Robot robot;
};

TEST_F(Assets, AnswersFromAnotherThreadAfterTheCallbackReturned) {
  start();
  const auto id = fetch("anything at all");
  auto* responder = desk.take();
  std::thread([&] { respond(responder, "solid arm"); }).join();
  EXPECT_EQ(asset(id), "solid arm");
  EXPECT_EQ(answer.encoding.len, 0U);
  const std::lock_guard lock{desk.mutex};
  EXPECT_EQ(desk.seen.at(0), "operator anything at all");
}

TEST_F(Assets, SecondAnswerIsRefusedAndNotSent) {
  start();
  const auto id = fetch();
  auto* responder = desk.take();
  EXPECT_EQ(telelink_asset_responder_fail(responder, text("not today")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_asset_responder_respond(responder, bytes("data")), TELELINK_STATUS_ALREADY_RESPONDED);
  EXPECT_EQ(telelink_asset_responder_fail(responder, text("again")), TELELINK_STATUS_ALREADY_RESPONDED);
  EXPECT_STREQ(telelink_last_error_message(), "the request was answered already");
  telelink_asset_responder_free(responder);
  EXPECT_EQ(asset(id), "error: not today");
  EXPECT_EQ(telelink_test_viewer_asset(robot.viewer, id, 0, &answer), TELELINK_STATUS_TIMEOUT);
}

TEST_F(Assets, FreeWithoutAnAnswerTellsTheViewer) {
  start();
  const auto id = fetch();
  telelink_asset_responder_free(desk.take());
  EXPECT_EQ(asset(id), std::string{"error: "} + dropped_text);
}

TEST_F(Assets, WrongArgumentsAnswerNothing) {
  start();
  const auto id = fetch();
  auto* responder = desk.take();
  EXPECT_EQ(telelink_asset_responder_fail(responder, telelink_str{"\xff", 1}), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(telelink_asset_responder_respond(responder, telelink_bytes{nullptr, 1}), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(telelink_asset_responder_respond(responder, telelink_bytes{nullptr, 0}), TELELINK_STATUS_OK);
  telelink_asset_responder_free(responder);
  EXPECT_EQ(asset(id), "") << "an empty asset is one";
  EXPECT_EQ(answer.failed, 0U);
}

TEST_F(Assets, AnswerToAViewerThatHasLeftGoesNowhere) {
  start();
  fetch();
  auto* responder = desk.take();
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  EXPECT_EQ(telelink_asset_responder_respond(responder, bytes("late")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_asset_responder_respond(responder, bytes("late")), TELELINK_STATUS_ALREADY_RESPONDED);
  telelink_asset_responder_free(responder);
}

TEST_F(Assets, ResponderOutlivesItsSession) {
  start();
  fetch();
  auto* responder = desk.take();
  fetch();
  auto* unanswered = desk.take();
  telelink_session_free(robot.release());
  EXPECT_EQ(desk.dropped.count(), 1);
  EXPECT_EQ(telelink_asset_responder_respond(responder, bytes("late")), TELELINK_STATUS_OK);
  telelink_asset_responder_free(responder);
  telelink_asset_responder_free(unanswered);
}

TEST_F(Assets, SessionCanBeFreedInsideAHandler) {
  struct Freeing {
    telelink_session* session = nullptr;
    Event ready, done, dropped;
  } freeing;
  callbacks.context = &freeing;
  callbacks.drop = [](void* context) { static_cast<Freeing*>(context)->dropped.set(); };
  callbacks.on_fetch = [](void* context, const telelink_asset_request*, telelink_asset_responder* responder) {
    auto& me = *static_cast<Freeing*>(context);
    EXPECT_TRUE(me.ready.wait());
    telelink_session_free(me.session);
    EXPECT_EQ(me.dropped.count(), 0) << "dropped under a running handler";
    telelink_asset_responder_free(responder);
    me.done.set();
  };
  start();
  freeing.session = robot.release();
  freeing.ready.set();
  fetch();
  ASSERT_TRUE(freeing.done.wait());
  ASSERT_TRUE(freeing.dropped.wait());
  EXPECT_EQ(freeing.dropped.count(), 1);
}

TEST_F(Assets, ThirtyTwoLargeOnesAtOnceAllArriveAndTheNextIsRefused) {
  start();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i)
    ids.push_back(fetch("large " + std::to_string(i)));
  ASSERT_TRUE(desk.called.wait(32));
  EXPECT_EQ(asset(fetch()), "error: Too many concurrent fetch asset requests");
  // The handlers ran side by side, so responders come in any order; each answers with its own number.
  for (std::size_t i = 0; i < 32; ++i) {
    auto* responder = desk.take();
    std::string seen;
    {
      const std::lock_guard lock{desk.mutex};
      seen = desk.seen.at(i);
    }
    const auto number = std::atoi(seen.substr(seen.rfind(' ')).c_str());
    respond(responder, std::string(three_mib, static_cast<char>('0' + number)));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(telelink_test_viewer_asset(robot.viewer, ids[i], wait_ms, &answer), TELELINK_STATUS_OK)
        << i << ": " << telelink_last_error_message();
    ASSERT_EQ(answer.failed, 0U) << support::string(answer.message);
    ASSERT_EQ(answer.payload.len, three_mib);
    EXPECT_EQ(answer.payload.data[0], '0' + static_cast<int>(i));
    EXPECT_EQ(answer.payload.data[three_mib - 1], '0' + static_cast<int>(i));
  }
  EXPECT_EQ(resets(), 0U);
  // The places are free again.
  const auto id = fetch();
  respond(desk.take(), "small");
  EXPECT_EQ(asset(id), "small");
}

TEST_F(Assets, LargestArrivesAndOneByteMoreIsAnError) {
  start();
  constexpr std::size_t largest = (16u << 20) - 10;
  const auto fits = fetch();
  respond(desk.take(), std::string(largest, 'x'));
  EXPECT_EQ(asset(fits), std::string(largest, 'x'));
  const auto too_large = fetch();
  respond(desk.take(), std::string(largest + 1, 'x'));
  EXPECT_EQ(asset(too_large), "error: The asset has 16777207 bytes, more than the 16777206 that can be sent");
  EXPECT_EQ(resets(), 0U);
}

TEST_F(Assets, TimeOutAnswersAndFreesThePlaces) {
  robot.options.request_timeout_ms = 1;
  start();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i)
    ids.push_back(fetch());
  for (const auto id : ids)
    EXPECT_EQ(asset(id), "error: The asset was not served in time");
  const auto again = fetch();
  EXPECT_EQ(asset(again), "error: The asset was not served in time") << "and not: too many requests";
  for (int i = 0; i < 33; ++i)
    respond(desk.take(), "late");
  EXPECT_EQ(telelink_test_viewer_asset(robot.viewer, again, 0, &answer), TELELINK_STATUS_TIMEOUT);
}

TEST_F(Assets, StuckHandlersDelayNobodyElse) {
  struct Stuck {
    Event entered, go_on;
  } stuck;
  callbacks.context = &stuck;
  callbacks.drop = nullptr;
  callbacks.on_fetch = [](void* context, const telelink_asset_request* request, telelink_asset_responder* responder) {
    auto& me = *static_cast<Stuck*>(context);
    if (support::string(request->uri) == "stuck") {
      me.entered.set();
      me.go_on.wait();
    }
    EXPECT_EQ(telelink_asset_responder_respond(responder, telelink_text_data("done")), TELELINK_STATUS_OK);
    telelink_asset_responder_free(responder);
  };
  start();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 32; ++i)
    ids.push_back(fetch("stuck"));
  ASSERT_TRUE(stuck.entered.wait(24)) << "as many as one viewer may have";

  telelink_test_viewer* other = nullptr;
  ASSERT_EQ(telelink_test_viewer_create(robot.server, text("yard"), text("other"), wait_ms, &other),
            TELELINK_STATUS_OK);
  telelink_channel* channel = nullptr;
  telelink_channel_options options;
  ASSERT_EQ(telelink_channel_options_init(&options, sizeof options), TELELINK_STATUS_OK);
  options.encoding = text("json");
  options.qos = TELELINK_QOS_RELIABLE;
  ASSERT_EQ(telelink_channel_create(robot.context, text("/battery"), &options, &channel), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_test_viewer_subscribe(other, text("/battery"), wait_ms), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_channel_log(channel, telelink_text_data("{}")), TELELINK_STATUS_OK);
  telelink_test_message message;
  ASSERT_EQ(telelink_test_message_init(&message, sizeof message), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_test_viewer_next_message(other, wait_ms, &message), TELELINK_STATUS_OK);
  EXPECT_EQ(asset(other, fetch(other, "free")), "done") << "and its own requests run";
  EXPECT_EQ(stuck.entered.count(), 24);

  for (int i = 0; i < 32; ++i)
    stuck.go_on.set();
  for (const auto id : ids)
    EXPECT_EQ(asset(id), "done");
  telelink_test_viewer_free(other);
  telelink_channel_free(channel);
}

TEST_F(Assets, CapabilityAndHandlerBelongTogether) {
  robot.options.asset_callbacks = nullptr;
  robot.options.capabilities = TELELINK_CAPABILITY_ASSETS;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_INVALID_VALUE);
  EXPECT_STREQ(telelink_last_error_message(), "the assets capability needs an asset handler");
  robot.options.capabilities = 0;
  start();
  fetch();
  telelink_test_status status;
  ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_status(robot.viewer, wait_ms, &status), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(status.message), "Server does not support assets capability");
  EXPECT_EQ(status.level, TELELINK_STATUS_LEVEL_ERROR);
}

TEST_F(Assets, ContextIsDroppedOnceAlsoWhenTheSessionIsNotMade) {
  telelink_asset_folder folder;
  ASSERT_EQ(telelink_asset_folder_init(&folder, sizeof folder), TELELINK_STATUS_OK);
  int dropped = 0;
  const auto expect = [&](telelink_status status, const char* message) {
    EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), status);
    EXPECT_STREQ(telelink_last_error_message(), message);
    EXPECT_EQ(desk.dropped.count(), ++dropped);
  };
  robot.options.asset_folder = &folder;
  expect(TELELINK_STATUS_INVALID_VALUE, "the asset folder has neither packages nor file roots");
  robot.options.asset_folder = nullptr;
  callbacks.on_fetch = nullptr;
  expect(TELELINK_STATUS_NULL_ARGUMENT, "options.asset_callbacks.on_fetch is NULL");
  callbacks.on_fetch = &on_fetch;
  robot.options.max_viewers = 0;
  expect(TELELINK_STATUS_INVALID_VALUE, "max_viewers is 0, outside 1 to 1024");
  robot.options.max_viewers = 1;
  callbacks.struct_size = 1;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_STRUCT_SIZE);
  EXPECT_EQ(desk.dropped.count(), dropped) << "nothing of it can be read";
  callbacks.struct_size = sizeof callbacks;
  start();
  EXPECT_EQ(desk.dropped.count(), dropped);
  telelink_session_free(robot.release());
  EXPECT_EQ(desk.dropped.count(), dropped + 1);
}

/// A folder of files, removed in the end.
class Folder : public Assets {
 protected:
  void SetUp() override {
    Assets::SetUp();
    std::string name = (std::filesystem::temp_directory_path() / "telelink-assets-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = std::filesystem::canonical(name);
    std::filesystem::create_directories(root / "share/meshes");
    write("share/meshes/arm.stl", "solid arm");
    write("share/notes.txt", "notes");
    write("secret.stl", "secret");
    std::filesystem::create_symlink("../secret.stl", root / "share/out.stl");
    ASSERT_EQ(telelink_asset_folder_init(&folder, sizeof folder), TELELINK_STATUS_OK);
    share = (root / "share").string();
    package = {text("robot"), text(share)};
    root_view = text(share);
    folder.packages = &package;
    folder.packages_count = 1;
    robot.options.asset_folder = &folder;
  }

  void TearDown() override { std::filesystem::remove_all(root); }

  void write(const char* path, const std::string& data) const { std::ofstream(root / path, std::ios::binary) << data; }

  std::string get(const std::string& uri) { return asset(fetch(uri)); }

  std::filesystem::path root;
  std::string share;
  telelink_str root_view = {};
  telelink_asset_package package = {};
  telelink_asset_folder folder = {};
};

TEST_F(Folder, ServesFilesWithoutACallback) {
  robot.options.asset_callbacks = nullptr;
  folder.file_roots = &root_view;
  folder.file_roots_count = 1;
  start();
  // What C gave is copied.
  package = {};
  share.assign(share.size(), 'x');
  const auto file = "file://" + (root / "share/meshes").string();
  EXPECT_EQ(get("package://robot/meshes/arm.stl"), "solid arm");
  EXPECT_EQ(get(file + "/arm%2estl"), "solid arm");
  EXPECT_EQ(get("package://robot/meshes/leg.stl"), "error: there is no such file");
  EXPECT_EQ(get("package://robot/notes.txt"), "error: files of this kind are not served");
  EXPECT_EQ(get("package://robot/../secret.stl"), "error: the path has a part . or ..");
  EXPECT_EQ(get("package://robot/%2e%2e/secret.stl"), "error: the path has a part . or ..");
  EXPECT_EQ(get("package://robot/out.stl"), "error: a link leads out of the folder");
  EXPECT_EQ(get("package://other/arm.stl"), "error: the robot serves no package of that name");
  EXPECT_EQ(get("file:///etc/passwd"), "error: the robot serves no files of that folder");
  write("share/large.stl", std::string(three_mib, 'x'));
  EXPECT_EQ(get("package://robot/large.stl"), std::string(three_mib, 'x'));
  EXPECT_EQ(resets(), 0U);
}

TEST_F(Folder, GivesWhatItDoesNotKnowToTheCallback) {
  start();
  EXPECT_EQ(get("package://robot/meshes/arm.stl"), "solid arm");
  EXPECT_EQ(get("package://robot/meshes/leg.stl"), "error: there is no such file");
  const auto id = fetch("camera://front");
  respond(desk.take(), "picture");
  EXPECT_EQ(asset(id), "picture");
  const std::lock_guard lock{desk.mutex};
  EXPECT_EQ(desk.seen, (std::vector<std::string>{"operator camera://front"}));
}

TEST_F(Folder, ObeysItsLimits) {
  const telelink_str extensions[] = {text(".TXT"), text("stl")};
  folder.extensions = extensions;
  folder.extensions_count = 2;
  folder.max_size = 5;
  start();
  EXPECT_EQ(get("package://robot/notes.txt"), "notes");
  EXPECT_EQ(get("package://robot/meshes/arm.stl"), "error: the file is larger than 5 bytes");
}

TEST_F(Folder, ServesEverythingWhenAsked) {
  folder.any_extension = 1;
  start();
  EXPECT_EQ(get("package://robot/notes.txt"), "notes");
}

TEST_F(Folder, IsChecked) {
  const auto garbage = telelink_str{"a\xff", 2};
  const telelink_str relative = text("srv");
  const telelink_asset_package twice[] = {package, package};
  const struct {
    telelink_status status;
    const char* message;
    std::function<void(telelink_asset_folder&)> spoil;
  } cases[] = {
      {TELELINK_STATUS_INVALID_VALUE, "the asset folder's max_size is 16777207, outside 1 to 16777206",
       [](auto& f) { f.max_size = 16'777'207; }},
      {TELELINK_STATUS_INVALID_VALUE, "the asset folder's max_size is 0, outside 1 to 16777206",
       [](auto& f) { f.max_size = 0; }},
      {TELELINK_STATUS_INVALID_VALUE, "options.asset_folder.any_extension is 2, neither 0 nor 1",
       [](auto& f) { f.any_extension = 2; }},
      {TELELINK_STATUS_INVALID_VALUE, "options.asset_folder has both extensions and any_extension",
       [&](auto& f) { f.any_extension = 1, f.extensions = &relative, f.extensions_count = 1; }},
      {TELELINK_STATUS_INVALID_VALUE, "the asset folder's file root srv is not absolute",
       [&](auto& f) { f.file_roots = &relative, f.file_roots_count = 1; }},
      {TELELINK_STATUS_INVALID_UTF8, "options.asset_folder.file_roots is not valid UTF-8 at byte 1",
       [&](auto& f) { f.file_roots = &garbage, f.file_roots_count = 1; }},
      {TELELINK_STATUS_INVALID_UTF8, "options.asset_folder.extensions is not valid UTF-8 at byte 1",
       [&](auto& f) { f.extensions = &garbage, f.extensions_count = 1; }},
      {TELELINK_STATUS_NULL_ARGUMENT,
       "options.asset_folder.packages.data is NULL but options.asset_folder.packages.len is 1",
       [](auto& f) { f.packages = nullptr; }},
      {TELELINK_STATUS_DUPLICATE, "the asset folder has package robot twice",
       [&](auto& f) { f.packages = twice, f.packages_count = 2; }},
      {TELELINK_STATUS_INVALID_UTF8, "options.asset_folder.packages.name is not valid UTF-8 at byte 1",
       [&](auto&) { package.name = garbage; }},
      {TELELINK_STATUS_INVALID_UTF8, "options.asset_folder.packages.directory is not valid UTF-8 at byte 1",
       [&](auto&) { package.directory = garbage; }},
  };
  int dropped = 0;
  for (const auto& test : cases) {
    const auto good_folder = folder;
    const auto good_package = package;
    test.spoil(folder);
    EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), test.status);
    EXPECT_STREQ(telelink_last_error_message(), test.message);
    EXPECT_EQ(desk.dropped.count(), ++dropped);
    folder = good_folder;
    package = good_package;
  }
  folder.struct_size = 1;
  EXPECT_EQ(telelink_session_create(robot.context, &robot.options, &robot.session), TELELINK_STATUS_STRUCT_SIZE);
}

}  // namespace

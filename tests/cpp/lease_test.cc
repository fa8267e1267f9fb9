// The control lease: who holds it, who is refused, and how the robot hears that it ended.
#include "support.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using std::chrono::milliseconds;
using support::Count;
using telelink::ControlLost;
using telelink::Session;

constexpr const char* take = "/telelink/control/take";
constexpr const char* hand_over = "/telelink/control/hand_over";
constexpr const char* release = "/telelink/control/release";

/// What the robot was told, in order.
class Told {
 public:
  void add(std::string line) {
    {
      const std::lock_guard lock{mutex_};
      lines_.push_back(std::move(line));
    }
    count_.add();
  }
  std::vector<std::string> wait(int lines) {
    EXPECT_TRUE(count_.wait(lines));
    const std::lock_guard lock{mutex_};
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  Count count_;
};

telelink::SessionOptions leasing(const telelink::testing::Server& server, Told& told) {
  auto options = support::robot(server);
  options.capabilities = telelink::Capabilities::client_publish;
  options.services.push_back(telelink::Service{
      "/drive", "",
      [](const telelink::ServiceRequest&, telelink::ServiceResponder responder) { responder.respond("1"); }});
  options.supported_encodings = {"json"};
  telelink::ControlLease lease;
  lease.timeout = std::chrono::seconds{60};
  lease.on_taken = [&told](telelink::ClientView client) { told.add("taken " + std::string{client.identity()}); };
  lease.on_lost = [&told](telelink::ClientView client, ControlLost reason) {
    told.add("lost " + std::string{client.identity()} + " " + std::to_string(static_cast<int>(reason)));
  };
  options.control_lease = std::move(lease);
  return options;
}

/// The answer of a call, or its failure.
std::string call(telelink::testing::Viewer& viewer, const char* service, const std::string& request = "{}") {
  const auto answer = viewer.call(service, "json", request);
  if (!answer) return "no answer: " + answer.error().message;
  return answer->failed ? "failed: " + answer->message : std::string{answer->payload};
}

constexpr const char* held_by_ann =
    "failed: ann has control; it can be taken with /telelink/control/take once it is free, or handed over with "
    "/telelink/control/hand_over";

TEST(ControlLease, IsTakenHandedOverAndReleased) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  const auto session = Session::start(context, leasing(server, told));
  ASSERT_TRUE(session) << session.error().message;
  auto ann = server.viewer("yard", "ann");
  auto bob = server.viewer("yard", "bob");
  ASSERT_TRUE(ann);
  ASSERT_TRUE(bob);
  EXPECT_EQ(call(*bob, "/drive"), "1") << "nobody holds control, so everybody may act";
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  const auto status = bob->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->message, "ann has control");
  EXPECT_EQ(status->id, "telelink-control");
  EXPECT_EQ(call(*bob, "/drive"), held_by_ann);
  EXPECT_EQ(call(*bob, take), held_by_ann);
  EXPECT_EQ(call(*ann, "/drive"), "1");
  EXPECT_EQ(call(*ann, hand_over, R"({"identity":"bob"})"), R"({"holder":"bob","you":false,"timeout_ms":60000})");
  EXPECT_EQ(call(*bob, "/drive"), "1");
  EXPECT_EQ(call(*bob, release), R"({"holder":null,"you":false,"timeout_ms":60000})");
  EXPECT_EQ(call(*ann, "/drive"), "1");
  const std::vector<std::string> expected{"taken ann", "lost ann 1", "taken bob", "lost bob 0"};
  EXPECT_EQ(told.wait(4), expected);
}

TEST(ControlLease, MessagesOfOthersAreDroppedAndTheirSenderIsTold) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  Count messages;
  auto options = leasing(server, told);
  options.callbacks.on_message = [&](telelink::ClientView client, telelink::ClientChannelView,
                                     const telelink::ClientMessage&) {
    EXPECT_EQ(client.identity(), "ann");
    messages.add();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  auto bob = server.viewer("yard", "bob");
  ASSERT_TRUE(bob);
  auto status = bob->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->message, "ann has control") << "who comes later is told too";
  for (auto* viewer : {&*ann, &*bob}) {
    EXPECT_TRUE(viewer->advertise(1, "/joy"));
    EXPECT_TRUE(viewer->publish(1, "{}"));
  }
  status = bob->next_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ("failed: " + status->message, held_by_ann);
  EXPECT_TRUE(messages.wait());
  EXPECT_EQ(messages.get(), 1);
}

TEST(ControlLease, IsLostWithItsHolder) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  const auto session = Session::start(context, leasing(server, told));
  ASSERT_TRUE(session) << session.error().message;
  {
    auto ann = server.viewer("yard", "ann");
    ASSERT_TRUE(ann);
    EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  }
  EXPECT_EQ(told.wait(2), (std::vector<std::string>{"taken ann", "lost ann 2"}));
}

TEST(ControlLease, IsLostWithTheSession) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  std::optional<telelink::testing::Viewer> viewer;
  {
    const auto session = Session::start(context, leasing(server, told));
    ASSERT_TRUE(session) << session.error().message;
    auto ann = server.viewer("yard", "ann");
    ASSERT_TRUE(ann);
    viewer.emplace(std::move(*ann));
    EXPECT_EQ(call(*viewer, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  }
  EXPECT_EQ(told.wait(2), (std::vector<std::string>{"taken ann", "lost ann 5"})) << "before the destructor returned";
}

TEST(ControlLease, MessagesThatWaitAreNotDeliveredAfterOnLost) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told, messages;
  Count go_on;
  auto options = leasing(server, told);
  options.control_lease->publish = {"/cmd_vel"};
  options.callbacks.on_message = [&](telelink::ClientView, telelink::ClientChannelView channel,
                                     const telelink::ClientMessage& message) {
    messages.add(std::string{channel.topic()} + " " + std::string{message.payload.text()});
    go_on.wait();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_TRUE(ann->advertise(1, "/cmd_vel"));
  EXPECT_TRUE(ann->advertise(2, "/note"));
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  for (int i = 0; i < 600; ++i)
    EXPECT_TRUE(ann->publish(1, "old"));
  EXPECT_TRUE(ann->publish(2, "needs no control"));
  messages.wait(1);
  EXPECT_EQ(call(*ann, release), R"({"holder":null,"you":false,"timeout_ms":60000})");
  EXPECT_EQ(told.wait(2), (std::vector<std::string>{"taken ann", "lost ann 0"}));
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  EXPECT_TRUE(ann->publish(1, "new"));
  EXPECT_EQ(call(*ann, "/drive"), "1") << "the robot has got all that";
  const auto stats = session->stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->discarded_incoming, 599U);
  EXPECT_EQ(stats->dropped_incoming, 0U);
  const auto page = session->prometheus();
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_NE(page->find("telelink_listener_dropped_messages_total{cause=\"discarded\"} 599"), std::string::npos)
      << *page;
  go_on.add();
  const std::vector<std::string> expected{"/cmd_vel old", "/note needs no control", "/cmd_vel new"};
  EXPECT_EQ(messages.wait(3), expected);
}

TEST(ControlLease, MessagesThatWaitAreNotDeliveredWhenTheSessionEnds) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told, messages;
  Count go_on;
  auto options = leasing(server, told);
  options.control_lease->publish = {"/cmd_vel"};
  options.control_lease->on_lost = [&](telelink::ClientView, ControlLost) { go_on.add(); };
  options.callbacks.on_client_advertise = [&](telelink::ClientView, telelink::ClientChannelView) { told.add("+"); };
  options.callbacks.on_client_unadvertise = [&](telelink::ClientView, telelink::ClientChannelView) { told.add("-"); };
  options.callbacks.on_message = [&](telelink::ClientView, telelink::ClientChannelView,
                                     const telelink::ClientMessage&) {
    messages.add("message");
    go_on.wait();
  };
  std::optional<telelink::testing::Viewer> viewer;
  {
    const auto session = Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    auto ann = server.viewer("yard", "ann");
    ASSERT_TRUE(ann);
    viewer.emplace(std::move(*ann));
    EXPECT_EQ(call(*viewer, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
    told.wait(1);
    EXPECT_TRUE(viewer->advertise(2, "/note"));
    for (int i = 0; i < 600; ++i)
      EXPECT_TRUE(viewer->publish(2, "{}"));
    EXPECT_EQ(call(*viewer, "/drive"), "1") << "the robot has got all that";
    messages.wait(1);
  }
  EXPECT_EQ(messages.wait(1).size(), 1U);
  EXPECT_EQ(told.wait(3), (std::vector<std::string>{"taken ann", "+", "-"}));
}

TEST(ControlLease, TheRobotHearsOfASilentHolderAlthoughItsListenerIsStuck) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  Count stuck, go_on;
  auto options = leasing(server, told);
  options.control_lease->timeout = milliseconds{500};
  options.callbacks.on_client_advertise = [&](telelink::ClientView, telelink::ClientChannelView) {
    stuck.add();
    go_on.wait();
  };
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_TRUE(ann->advertise(1, "/joy"));
  EXPECT_TRUE(stuck.wait());
  ann->set_heartbeat(false);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":500})");
  EXPECT_EQ(told.wait(2), (std::vector<std::string>{"taken ann", "lost ann 4"}));
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, milliseconds{500}) << "not before the limit";
  EXPECT_LT(took, milliseconds{5000}) << "the core's own tests have the exact time; this is a loaded machine";
  go_on.add();
}

TEST(ControlLease, AViewerOfTheMemoryRoomKeepsItUntilItsHeartbeatIsStopped) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  auto options = leasing(server, told);
  options.control_lease->timeout = milliseconds{1000};
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":1000})");
  const auto lost = ann->next_json("removeStatus", milliseconds{2500});
  EXPECT_EQ(lost.status(), telelink::Status::timeout) << "viewers would be told that nobody has control";
  EXPECT_EQ(told.wait(1), std::vector<std::string>{"taken ann"});
  ann->set_heartbeat(false);
  EXPECT_EQ(told.wait(2), (std::vector<std::string>{"taken ann", "lost ann 4"}));
}

TEST(ControlLease, CallbacksMayThrowBlockAndCallAnything) {
  telelink::testing::Server server;
  telelink::Context context;
  Count taken, go_on, lost;
  Told unused;
  std::optional<Session> session;
  auto options = leasing(server, unused);
  options.control_lease->on_taken = [&](telelink::ClientView client) {
    EXPECT_TRUE(session->client(client.id()));
    EXPECT_TRUE(session->publish_status(telelink::StatusLevel::info, "careful"));
    taken.add();
    go_on.wait();
    throw 1;
  };
  options.control_lease->on_lost = [&](telelink::ClientView, ControlLost) {
    lost.add();
    throw 2;
  };
  ::testing::internal::CaptureStderr();
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  EXPECT_TRUE(taken.wait());
  EXPECT_EQ(call(*ann, release), R"({"holder":null,"you":false,"timeout_ms":60000})") << "nobody else waits for it";
  EXPECT_EQ(lost.get(), 0) << "in order";
  go_on.add();
  EXPECT_TRUE(lost.wait());
  session.reset();
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("on_taken threw"), std::string::npos) << said;
  EXPECT_NE(said.find("on_lost threw"), std::string::npos) << said;
}

TEST(ControlLease, TheSessionMayBeDestroyedInsideItsCallback) {
  telelink::testing::Server server;
  telelink::Context context;
  Count may_start, done, ended;
  Told unused;
  std::optional<Session> session;
  auto options = leasing(server, unused);
  options.control_lease->on_taken = [&, end = support::counts_its_end(ended)](telelink::ClientView) {
    may_start.wait();
    session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
    done.add();
  };
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  auto ann = server.viewer("yard", "ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(call(*ann, take), R"({"holder":"ann","you":true,"timeout_ms":60000})");
  may_start.add();
  EXPECT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
}

TEST(ControlLease, RefusesWhatCannotWork) {
  telelink::testing::Server server;
  telelink::Context context;
  Told told;
  Count ended;
  auto options = leasing(server, told);
  options.control_lease->timeout = milliseconds{499};
  options.control_lease->on_taken = [end = support::counts_its_end(ended)](telelink::ClientView) {};
  EXPECT_EQ(Session::start(context, std::move(options)).status(), telelink::Status::invalid_value);
  EXPECT_EQ(ended.get(), 1) << "the callbacks are destroyed all the same";
  auto past = leasing(server, told);
  past.control_lease->timeout = milliseconds{-5};
  const auto refused = Session::start(context, std::move(past));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "control_lease.timeout is negative: -5 ms");
  const auto session = Session::start(context, leasing(server, told));
  ASSERT_TRUE(session) << session.error().message;
  const auto added = session->add_service(
      telelink::Service{"/telelink/mine", "", [](const telelink::ServiceRequest&, telelink::ServiceResponder) {}});
  EXPECT_EQ(added.status(), telelink::Status::invalid_value);
}

}  // namespace

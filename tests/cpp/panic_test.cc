// Faults of the library itself: the process lives, the session ends with a reason or goes on, functions end once.
#include "support.hpp"

#include <string>
#include <utility>
#include <vector>

namespace {

using support::Count;
using telelink::ConnectionStatus;
using telelink::Session;
using telelink::Status;
using telelink::testing::PanicPoint;

/// A robot with a service and a channel, and what it was told.
struct PanicRobot {
  telelink::testing::Server server;
  telelink::Context context;
  Count connected, subscribed, unsubscribed, panicked, shutdown, ended;

  telelink::Result<Session> start() {
    auto options = support::robot(server);
    options.supported_encodings = {"json"};
    options.callbacks.on_status = [this, end = support::counts_its_end(ended)](ConnectionStatus status,
                                                                               const telelink::Error* reason) {
      if (status == ConnectionStatus::connected) connected.add();
      if (status != ConnectionStatus::shutdown) return;
      if (reason != nullptr && reason->status == Status::panic) panicked.add();
      shutdown.add();
    };
    options.callbacks.on_subscribe = [this](telelink::ClientView, telelink::ChannelView) { subscribed.add(); };
    options.callbacks.on_unsubscribe = [this](telelink::ClientView, telelink::ChannelView) { unsubscribed.add(); };
    options.services.push_back(
        telelink::Service{"/echo", "Echo",
                          [end = support::counts_its_end(ended)](const telelink::ServiceRequest& request,
                                                                 telelink::ServiceResponder responder) {
                            responder.respond(request.payload);
                          }});
    return Session::start(context, std::move(options));
  }
};

TEST(Panic, OfTheOwnerOrTheGatewayEndsTheSessionWithAReason) {
  for (const auto point : {PanicPoint::owner, PanicPoint::gateway}) {
    PanicRobot robot;
    {
      const auto session = robot.start();
      ASSERT_TRUE(session) << session.error().message;
      ASSERT_TRUE(robot.connected.wait());
      ASSERT_TRUE(telelink::testing::inject_panic(*session, point));
      if (point == PanicPoint::gateway) {
        ASSERT_TRUE(robot.server.disconnect("robot"));
      }
      ASSERT_TRUE(robot.panicked.wait());
      EXPECT_EQ(session->status(), ConnectionStatus::shutdown);
      const auto why = session->last_error();
      ASSERT_TRUE(why);
      EXPECT_EQ(why->status, Status::panic);
      EXPECT_EQ(session->stats().status(), Status::closed);
    }
    EXPECT_EQ(robot.ended.get(), 2) << "every function was destroyed, once";
    EXPECT_EQ(robot.shutdown.get(), 1);
  }
}

TEST(Panic, OfTheCallbackThreadCostsOneEvent) {
  PanicRobot robot;
  auto battery = robot.context.channel("/battery", telelink::json());
  {
    const auto session = robot.start();
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE(robot.connected.wait());
    auto viewer = robot.server.viewer("yard", "operator");
    ASSERT_TRUE(viewer);
    ASSERT_TRUE(viewer->wait_channel("/battery"));
    ASSERT_TRUE(telelink::testing::inject_panic(*session, PanicPoint::callbacks));
    ASSERT_TRUE(viewer->subscribe("/battery"));
    ASSERT_TRUE(viewer->unsubscribe("/battery"));
    EXPECT_TRUE(robot.unsubscribed.wait());
    EXPECT_EQ(robot.subscribed.get(), 0);
    ASSERT_TRUE(viewer->subscribe("/battery"));
    EXPECT_TRUE(robot.subscribed.wait());
  }
  EXPECT_EQ(robot.ended.get(), 2);
  EXPECT_EQ(robot.shutdown.get(), 1);
  EXPECT_EQ(robot.panicked.get(), 0);
}

TEST(Panic, OfAHandlerThreadFailsItsRequest) {
  PanicRobot robot;
  {
    const auto session = robot.start();
    ASSERT_TRUE(session) << session.error().message;
    ASSERT_TRUE(robot.connected.wait());
    auto viewer = robot.server.viewer("yard", "operator");
    ASSERT_TRUE(viewer);
    ASSERT_TRUE(telelink::testing::inject_panic(*session, PanicPoint::handlers));
    const auto failed = viewer->call("/echo", "json", "1");
    ASSERT_TRUE(failed) << failed.error().message;
    EXPECT_TRUE(failed->failed);
    const auto echo = viewer->call("/echo", "json", "2");
    ASSERT_TRUE(echo) << echo.error().message;
    EXPECT_FALSE(echo->failed);
    EXPECT_EQ(echo->payload, "2");
  }
  EXPECT_EQ(robot.ended.get(), 2);
}

TEST(Panic, OfAStreamRestartsItsViewer) {
  PanicRobot robot;
  const auto session = robot.start();
  ASSERT_TRUE(session) << session.error().message;
  ASSERT_TRUE(robot.connected.wait());
  ASSERT_TRUE(telelink::testing::inject_panic(*session, PanicPoint::room));
  auto viewer = robot.server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  const auto echo = viewer->call("/echo", "json", "1");
  ASSERT_TRUE(echo) << echo.error().message;
  EXPECT_EQ(echo->payload, "1");
  const auto stats = session->stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->viewer_resets, 1U);
  EXPECT_EQ(stats->write_failure_resets, 1U);
  EXPECT_EQ(stats->overflow_resets, 0U);
}

TEST(Panic, PointsThatDoNotExistAreRefused) {
  PanicRobot robot;
  const auto session = robot.start();
  ASSERT_TRUE(session);
  const auto refused = telelink::testing::inject_panic(*session, static_cast<PanicPoint>(9));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "point is 9, which is no telelink_test_panic_point");
}

}  // namespace

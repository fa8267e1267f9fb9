// The connection graph of the C++ wrapper.
#include "support.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <utility>

namespace {

using support::Count;
using telelink::ConnectionGraph;
using telelink::Session;
using telelink::Status;

telelink::SessionOptions following(const telelink::testing::Server& server) {
  auto options = support::robot(server);
  options.capabilities = telelink::Capabilities::connection_graph;
  return options;
}

ConnectionGraph scan(const std::string& publisher) {
  ConnectionGraph graph;
  graph.published_topics["/scan"] = {publisher};
  return graph;
}

void follow(const telelink::testing::Viewer& viewer) {
  const auto sent = viewer.send_json(R"({"op":"subscribeConnectionGraph"})");
  ASSERT_TRUE(sent) << sent.error().message;
}

void forget(const telelink::testing::Viewer& viewer) {
  const auto sent = viewer.send_json(R"({"op":"unsubscribeConnectionGraph"})");
  ASSERT_TRUE(sent) << sent.error().message;
}

std::string update(const telelink::testing::Viewer& viewer) {
  const auto json = viewer.next_json("connectionGraphUpdate");
  return json ? *json : json.error().message;
}

TEST(ConnectionGraph, IsAValueThatIsPublishedAndChanged) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, following(server));
  ASSERT_TRUE(session) << session.error().message;
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);

  auto graph = scan("lidar");
  graph.subscribed_topics["/scan"] = {"slam", "safety"};
  graph.advertised_services["/reset"] = {"slam"};
  const auto published = session->publish_connection_graph(graph);
  ASSERT_TRUE(published) << published.error().message;
  follow(*viewer);
  EXPECT_EQ(update(*viewer),
            R"({"op":"connectionGraphUpdate","publishedTopics":[{"name":"/scan","publisherIds":["lidar"]}],)"
            R"("subscribedTopics":[{"name":"/scan","subscriberIds":["safety","slam"]}],)"
            R"("advertisedServices":[{"name":"/reset","providerIds":["slam"]}],"removedTopics":[],)"
            R"("removedServices":[]})");

  graph.published_topics["/scan"].insert("rear_lidar");
  graph.advertised_services.clear();
  ASSERT_TRUE(session->publish_connection_graph(graph));
  EXPECT_EQ(
      update(*viewer),
      R"({"op":"connectionGraphUpdate","publishedTopics":[{"name":"/scan","publisherIds":["lidar","rear_lidar"]}],)"
      R"("subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":["/reset"]})");
}

TEST(ConnectionGraph, TwentyRapidOnesArriveInTheirOrder) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto session = Session::start(context, following(server));
  ASSERT_TRUE(session);
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  follow(*viewer);
  (void)update(*viewer);
  for (int n = 0; n < 20; ++n)
    ASSERT_TRUE(session->publish_connection_graph(scan("node " + std::to_string(n))));
  for (int n = 0; n < 20; ++n)
    EXPECT_NE(update(*viewer).find("\"node " + std::to_string(n) + "\""), std::string::npos);
}

TEST(ConnectionGraph, SaysWhyItCannotBePublished) {
  telelink::testing::Server server;
  telelink::Context context;
  const auto plain = Session::start(context, support::robot(server));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->publish_connection_graph({}).status(), Status::not_supported);

  auto options = following(server);
  options.token = server.token("yard", "other robot");
  const auto session = Session::start(context, std::move(options));
  ASSERT_TRUE(session);
  EXPECT_EQ(session->publish_connection_graph(scan("\xff")).status(), Status::invalid_utf8);
  EXPECT_EQ(session->publish_connection_graph(scan(std::string(8'000'000, 'x'))).status(), Status::invalid_value);
  EXPECT_TRUE(session->publish_connection_graph({}));
  ASSERT_TRUE(session->close());
  EXPECT_EQ(session->publish_connection_graph({}).status(), Status::closed);
}

TEST(ConnectionGraph, CallbacksMayPublishAndThrow) {
  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  Count may_start, first, last, ended;
  auto options = following(server);
  options.callbacks.on_connection_graph_subscribe =
      [&, end = support::counts_its_end(ended)](telelink::ClientView client) {
        may_start.wait();
        EXPECT_EQ(client.identity(), "operator");
        const auto published = session->publish_connection_graph(scan("wanted"));
        EXPECT_TRUE(published) << published.error().message;
        EXPECT_TRUE(session->client(client.id()));
        EXPECT_TRUE(session->stats());
        EXPECT_TRUE(session->prometheus());
        first.add();
        throw 1;
      };
  options.callbacks.on_connection_graph_unsubscribe =
      [&, end = support::counts_its_end(ended)](telelink::ClientView client) {
        EXPECT_EQ(client.identity(), "operator");
        EXPECT_TRUE(session->publish_connection_graph(scan("forgotten")));
        last.add();
        throw 2;
      };
  ::testing::internal::CaptureStderr();
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  may_start.add();
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  for (const char* before : {"[]", "forgotten"}) {
    follow(*viewer);
    EXPECT_NE(update(*viewer).find(before), std::string::npos);
    EXPECT_NE(update(*viewer).find("wanted"), std::string::npos);
    forget(*viewer);
    EXPECT_TRUE(last.wait(before[0] == '[' ? 1 : 2));
  }
  session.reset();
  EXPECT_EQ(first.get(), 2);
  EXPECT_EQ(ended.get(), 2);
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("on_connection_graph_subscribe threw something"), std::string::npos) << said;
  EXPECT_NE(said.find("on_connection_graph_unsubscribe threw something"), std::string::npos) << said;
}

TEST(ConnectionGraph, ACallbackMayBlockAndThenDestroyItsSession) {
  telelink::testing::Server server;
  telelink::Context context;
  std::optional<Session> session;
  Count may_start, entered, go_on, done, ended;
  auto options = following(server);
  options.callbacks.on_connection_graph_subscribe = [&, end = support::counts_its_end(ended)](telelink::ClientView) {
    may_start.wait();
    entered.add();
    go_on.wait();
    session.reset();
    EXPECT_EQ(ended.get(), 0) << "destroyed under a running callback";
    done.add();
  };
  auto started = Session::start(context, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  session.emplace(std::move(*started));
  may_start.add();
  auto viewer = server.viewer("yard", "operator");
  ASSERT_TRUE(viewer);
  follow(*viewer);
  ASSERT_TRUE(entered.wait());
  EXPECT_NE(update(*viewer), "") << "the viewer is served while the callback stands still";
  EXPECT_TRUE(session->publish_connection_graph(scan("meanwhile")));
  EXPECT_NE(update(*viewer).find("meanwhile"), std::string::npos);
  go_on.add();
  EXPECT_TRUE(done.wait());
  EXPECT_TRUE(ended.wait());
}

}  // namespace

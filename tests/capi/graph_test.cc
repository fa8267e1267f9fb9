// The connection graph: built, published from everywhere, followed by viewers.
#include "support.hpp"

#include <thread>
#include <vector>

namespace {

using support::Event;
using support::text;
using support::wait_ms;

/// A graph that frees itself.
class Graph {
 public:
  Graph() { EXPECT_EQ(telelink_connection_graph_create(&graph_), TELELINK_STATUS_OK); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { telelink_connection_graph_free(graph_); }

  Graph& publisher(const char* topic, const std::string& id) {
    const auto view = text(id);
    EXPECT_EQ(telelink_connection_graph_set_published_topic(graph_, text(topic), &view, 1), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    return *this;
  }

  telelink_connection_graph* get() const { return graph_; }

 private:
  telelink_connection_graph* graph_ = nullptr;
};

telelink_status publish(const telelink_session* session, const Graph& graph) {
  return telelink_session_publish_connection_graph(session, graph.get());
}

void send(const telelink_test_viewer* viewer, const char* json) {
  ASSERT_EQ(telelink_test_viewer_send_json(viewer, text(json), wait_ms), TELELINK_STATUS_OK)
      << telelink_last_error_message();
}

void follow(const telelink_test_viewer* viewer) {
  send(viewer, R"({"op":"subscribeConnectionGraph"})");
}

void forget(const telelink_test_viewer* viewer) {
  send(viewer, R"({"op":"unsubscribeConnectionGraph"})");
}

/// The next update, without its `op`.
std::string update(const telelink_test_viewer* viewer, std::uint64_t timeout_ms = wait_ms) {
  telelink_str json = {};
  if (telelink_test_viewer_next_json(viewer, text("connectionGraphUpdate"), timeout_ms, &json) != TELELINK_STATUS_OK) {
    return "none";
  }
  const auto all = support::string(json);
  const std::string op = R"({"op":"connectionGraphUpdate",)";
  EXPECT_EQ(all.substr(0, op.size()), op);
  return "{" + all.substr(op.size());
}

std::string with_publisher(const std::string& topic, const std::string& id) {
  return R"({"publishedTopics":[{"name":")" + topic + R"(","publisherIds":[")" + id +
         R"("]}],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":[]})";
}

const std::string empty =
    R"({"publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":[]})";

struct Followed {
  Event first, last, dropped;
  std::string who;
};

class ConnectionGraph : public ::testing::Test {
 protected:
  void SetUp() override {
    robot.options.capabilities = TELELINK_CAPABILITY_CONNECTION_GRAPH;
    robot.callbacks.context = &followed;
    robot.callbacks.drop = [](void* context) { static_cast<Followed*>(context)->dropped.set(); };
    robot.callbacks.on_connection_graph_subscribe = [](void* context, const telelink_client* client) {
      auto& me = *static_cast<Followed*>(context);
      me.who = support::string(telelink_client_identity(client));
      me.first.set();
    };
    robot.callbacks.on_connection_graph_unsubscribe = [](void* context, const telelink_client* client) {
      auto& me = *static_cast<Followed*>(context);
      EXPECT_GT(telelink_client_id(client), 0U);
      me.last.set();
    };
  }

  Followed followed;
  support::Robot robot;
};

TEST_F(ConnectionGraph, PublishedBeforeThereIsARoomIsThereForWhoComesLater) {
  ASSERT_EQ(telelink_test_server_set_reachable(robot.server, 0), TELELINK_STATUS_OK);
  robot.start();
  ASSERT_EQ(publish(robot.session, Graph{}.publisher("/scan", "lidar")), TELELINK_STATUS_OK)
      << telelink_last_error_message();
  ASSERT_EQ(telelink_test_server_set_reachable(robot.server, 1), TELELINK_STATUS_OK);
  robot.join();
  follow(robot.viewer);
  EXPECT_EQ(update(robot.viewer), with_publisher("/scan", "lidar"));
}

TEST_F(ConnectionGraph, UpdatesAreWhatChanged) {
  robot.start();
  robot.join();
  follow(robot.viewer);
  EXPECT_EQ(update(robot.viewer), empty);
  EXPECT_TRUE(followed.first.wait());
  EXPECT_EQ(followed.who, "operator");

  Graph graph;
  const telelink_str nodes[] = {text("slam"), text("safety"), text("slam")};
  graph.publisher("/scan", "lidar").publisher("/odom", "wheels");
  ASSERT_EQ(telelink_connection_graph_set_subscribed_topic(graph.get(), text("/scan"), nodes, 3), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_connection_graph_set_advertised_service(graph.get(), text("/reset"), nullptr, 0),
            TELELINK_STATUS_OK);
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK) << telelink_last_error_message();
  EXPECT_EQ(
      update(robot.viewer),
      R"({"publishedTopics":[{"name":"/odom","publisherIds":["wheels"]},{"name":"/scan","publisherIds":["lidar"]}],)"
      R"("subscribedTopics":[{"name":"/scan","subscriberIds":["safety","slam"]}],)"
      R"("advertisedServices":[{"name":"/reset","providerIds":[]}],"removedTopics":[],"removedServices":[]})");

  EXPECT_EQ(telelink_connection_graph_remove_published_topic(graph.get(), text("/odom")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_connection_graph_remove_published_topic(graph.get(), text("/odom")), TELELINK_STATUS_NOT_FOUND);
  EXPECT_EQ(telelink_connection_graph_remove_subscribed_topic(graph.get(), text("/odom")), TELELINK_STATUS_NOT_FOUND);
  EXPECT_EQ(telelink_connection_graph_remove_subscribed_topic(graph.get(), text("/scan")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_connection_graph_remove_advertised_service(graph.get(), text("/reset")), TELELINK_STATUS_OK);
  EXPECT_EQ(telelink_connection_graph_remove_advertised_service(graph.get(), text("/reset")),
            TELELINK_STATUS_NOT_FOUND);
  EXPECT_STREQ(telelink_last_error_message(), "the graph has no service /reset there");
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK);
  EXPECT_EQ(update(robot.viewer),
            R"({"publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],"removedTopics":["/odom"],)"
            R"("removedServices":["/reset"]})");

  // P-147: the same again is an empty update; after clearing, the last topic is gone.
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK);
  EXPECT_EQ(update(robot.viewer),
            R"({"publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],)"
            R"("removedServices":[]})");
  ASSERT_EQ(telelink_connection_graph_clear(graph.get()), TELELINK_STATUS_OK);
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK);
  EXPECT_EQ(update(robot.viewer),
            R"({"publishedTopics":[],"subscribedTopics":[],"advertisedServices":[],"removedTopics":["/scan"],)"
            R"("removedServices":[]})");

  forget(robot.viewer);
  EXPECT_TRUE(followed.last.wait());
  ASSERT_EQ(publish(robot.session, graph.publisher("/a", "x")), TELELINK_STATUS_OK);
  forget(robot.viewer);
  EXPECT_EQ(update(robot.viewer, 0), "none");
}

TEST_F(ConnectionGraph, TwoViewersAreOneFirstAndOneLast) {
  robot.start();
  robot.join();
  telelink_test_viewer* other = nullptr;
  ASSERT_EQ(telelink_test_viewer_create(robot.server, text("yard"), text("other"), wait_ms, &other),
            TELELINK_STATUS_OK);
  follow(robot.viewer);
  follow(other);
  forget(robot.viewer);
  ASSERT_EQ(publish(robot.session, Graph{}.publisher("/a", "x")), TELELINK_STATUS_OK);
  EXPECT_EQ(update(other), empty);
  EXPECT_EQ(update(other), with_publisher("/a", "x"));
  EXPECT_EQ(followed.last.count(), 0);
  // Leaving is as good as unsubscribing.
  telelink_test_viewer_free(other);
  EXPECT_TRUE(followed.last.wait());
  EXPECT_EQ(followed.first.count(), 1);
  follow(robot.viewer);
  EXPECT_TRUE(followed.first.wait(2));
  telelink_session_free(robot.release());
  EXPECT_EQ(followed.last.count(), 2) << "the end of the session ends it";
  EXPECT_EQ(followed.dropped.count(), 1);
}

TEST_F(ConnectionGraph, WithoutTheCapabilityItIsNotSupported) {
  robot.options.capabilities = 0;
  robot.start();
  EXPECT_EQ(publish(robot.session, Graph{}), TELELINK_STATUS_NOT_SUPPORTED);
  robot.join();
  follow(robot.viewer);
  telelink_test_status status;
  ASSERT_EQ(telelink_test_status_init(&status, sizeof status), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_test_viewer_next_status(robot.viewer, wait_ms, &status), TELELINK_STATUS_OK);
  EXPECT_EQ(support::string(status.message), "Server does not support connection graph capability");
  EXPECT_EQ(status.level, TELELINK_STATUS_LEVEL_ERROR);
}

TEST_F(ConnectionGraph, TextsAndSizesAreChecked) {
  robot.start();
  Graph graph;
  const telelink_str garbage = {"\xff", 1};
  EXPECT_EQ(telelink_connection_graph_set_published_topic(graph.get(), garbage, nullptr, 0),
            TELELINK_STATUS_INVALID_UTF8);
  EXPECT_STREQ(telelink_last_error_message(), "topic is not valid UTF-8 at byte 0");
  EXPECT_EQ(telelink_connection_graph_set_advertised_service(graph.get(), text("/a"), &garbage, 1),
            TELELINK_STATUS_INVALID_UTF8);
  EXPECT_STREQ(telelink_last_error_message(), "provider_ids is not valid UTF-8 at byte 0");
  EXPECT_EQ(telelink_connection_graph_remove_subscribed_topic(graph.get(), garbage), TELELINK_STATUS_INVALID_UTF8);
  EXPECT_EQ(publish(robot.session, graph.publisher("/big", std::string(8'000'000, 'x'))),
            TELELINK_STATUS_INVALID_VALUE);
  EXPECT_NE(std::string{telelink_last_error_message()}.find("8000000"), std::string::npos)
      << telelink_last_error_message();
  EXPECT_EQ(telelink_session_close(robot.session, wait_ms), TELELINK_STATUS_OK);
  EXPECT_EQ(publish(robot.session, Graph{}), TELELINK_STATUS_CLOSED);
}

TEST(ConnectionGraphCallbacks, MayPublishAndDoEverythingElse) {
  struct Busy {
    telelink_session* session = nullptr;
    Event may_start, subscribed, unsubscribed;
  } busy;
  support::Robot robot;
  robot.options.capabilities = TELELINK_CAPABILITY_CONNECTION_GRAPH;
  robot.callbacks.context = &busy;
  robot.callbacks.on_connection_graph_subscribe = [](void* context, const telelink_client* client) {
    auto& me = *static_cast<Busy*>(context);
    me.may_start.wait();
    EXPECT_EQ(publish(me.session, Graph{}.publisher("/wanted", "x")), TELELINK_STATUS_OK)
        << telelink_last_error_message();
    telelink_client* found = nullptr;
    EXPECT_EQ(telelink_session_client(me.session, telelink_client_id(client), &found), TELELINK_STATUS_OK);
    telelink_client_free(found);
    telelink_session_snapshot* snapshot = nullptr;
    EXPECT_EQ(telelink_session_snapshot_create(me.session, &snapshot), TELELINK_STATUS_OK);
    EXPECT_EQ(telelink_session_snapshot_viewer_count(snapshot), 1U);
    telelink_session_snapshot_free(snapshot);
    EXPECT_EQ(telelink_session_publish_status(me.session, 0, text("followed"), text("")), TELELINK_STATUS_OK);
    me.subscribed.set();
  };
  robot.callbacks.on_connection_graph_unsubscribe = [](void* context, const telelink_client*) {
    auto& me = *static_cast<Busy*>(context);
    EXPECT_EQ(publish(me.session, Graph{}.publisher("/forgotten", "x")), TELELINK_STATUS_OK);
    // And then the end: freed in the middle of its own callback.
    telelink_session_free(me.session);
    me.unsubscribed.set();
  };
  robot.start();
  busy.session = robot.release();
  busy.may_start.set();
  robot.join();
  follow(robot.viewer);
  EXPECT_EQ(update(robot.viewer), empty);
  EXPECT_EQ(update(robot.viewer), with_publisher("/wanted", "x"));
  EXPECT_TRUE(busy.subscribed.wait());
  telelink_test_viewer_free(robot.viewer);
  robot.viewer = nullptr;
  EXPECT_TRUE(busy.unsubscribed.wait());
}

// S-263.
TEST(ConnectionGraphCallbacks, ABlockedOneHoldsUpNobodyElse) {
  struct Slow {
    Event entered, go_on;
  } slow;
  support::Robot robot;
  robot.options.capabilities = TELELINK_CAPABILITY_CONNECTION_GRAPH;
  robot.callbacks.context = &slow;
  robot.callbacks.on_connection_graph_subscribe = [](void* context, const telelink_client*) {
    auto& me = *static_cast<Slow*>(context);
    me.entered.set();
    me.go_on.wait();
  };
  robot.start();
  robot.join();
  follow(robot.viewer);
  ASSERT_TRUE(slow.entered.wait());
  // The viewer gets its graph, and updates, while the callback stands still.
  EXPECT_EQ(update(robot.viewer), empty);
  ASSERT_EQ(publish(robot.session, Graph{}.publisher("/a", "x")), TELELINK_STATUS_OK);
  EXPECT_EQ(update(robot.viewer), with_publisher("/a", "x"));
  slow.go_on.set();
}

TEST_F(ConnectionGraph, ManyThreadsShareOneGraphAndPublishIt) {
  robot.start();
  robot.join();
  follow(robot.viewer);
  EXPECT_EQ(update(robot.viewer), empty);
  Graph graph;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, topic = "/" + std::to_string(i)] {
      for (int n = 0; n < 50; ++n) {
        graph.publisher(topic.c_str(), std::to_string(n));
        EXPECT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK) << telelink_last_error_message();
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  // A thread may have published later what it had copied earlier; now everything is there, and then nothing.
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK);
  ASSERT_EQ(telelink_connection_graph_clear(graph.get()), TELELINK_STATUS_OK);
  ASSERT_EQ(publish(robot.session, graph), TELELINK_STATUS_OK);
  const std::string all = R"("removedTopics":["/0","/1","/2","/3"])";
  std::string last;
  do {
    last = update(robot.viewer);
  } while (last != "none" && last.find(all) == std::string::npos);
  EXPECT_NE(last, "none");
}

}  // namespace

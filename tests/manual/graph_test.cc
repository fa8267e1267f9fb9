// The code of docs/graph.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <atomic>
#include <iostream>

namespace {

TEST(Graph, IsShownToWhoFollowsIt) {
  std::atomic<bool> watch_the_graph{false};
  Page page;
  auto& options = page.options;
  options.capabilities = telelink::Capabilities::connection_graph;
  options.callbacks.on_connection_graph_subscribe = [&](telelink::ClientView) { watch_the_graph = true; };
  options.callbacks.on_connection_graph_unsubscribe = [&](telelink::ClientView) { watch_the_graph = false; };
  page.start();
  auto& session = page.session;
  telelink::ConnectionGraph graph;
  graph.published_topics["/scan"] = {"lidar_driver"};
  graph.subscribed_topics["/scan"] = {"slam", "safety"};
  graph.advertised_services["/reset"] = {"slam"};
  if (auto shown = session->publish_connection_graph(graph); !shown) std::cerr << shown.error().message << '\n';
  ASSERT_TRUE(page.viewer->send_json(R"({"op":"subscribeConnectionGraph"})"));
  const auto update = page.viewer->next_json("connectionGraphUpdate");
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_NE(update->find("lidar_driver"), std::string::npos) << *update;
}

}  // namespace

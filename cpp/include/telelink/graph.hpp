// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <telelink/detail/handle.hpp>
#include <telelink/detail/view.hpp>
#include <telelink/result.hpp>
#include <telelink/telelink.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace telelink {

/// Which nodes of the robot publish and subscribe to which topics, and provide which services. The ids of nodes are the
/// program's own, for example names of ROS nodes. A plain value: fill it, publish it, change it, publish it again.
///
///     telelink::ConnectionGraph graph;
///     graph.published_topics["/scan"] = {"lidar_driver"};
///     graph.subscribed_topics["/scan"] = {"slam", "safety"};
///     graph.advertised_services["/reset"] = {"slam"};
///     session.publish_connection_graph(graph);
///
/// A name with an empty set is shown without anybody at its end; one that is not in the map is not shown.
struct ConnectionGraph {
  std::map<std::string, std::set<std::string>> published_topics = {};     ///< topic: ids of its publishers
  std::map<std::string, std::set<std::string>> subscribed_topics = {};    ///< topic: ids of its subscribers
  std::map<std::string, std::set<std::string>> advertised_services = {};  ///< service: ids of its providers
};

namespace detail {

using GraphHandle = Handle<telelink_connection_graph, telelink_connection_graph_free>;

/// A graph as C wants it.
inline Result<GraphHandle> graph_of(const ConnectionGraph& graph) {
  telelink_connection_graph* made = nullptr;
  if (const auto status = telelink_connection_graph_create(&made); status != TELELINK_STATUS_OK) {
    return last_error(status);
  }
  GraphHandle c{made};
  const auto fill = [&c](const auto& ends, auto set) {
    std::vector<telelink_str> ids;
    for (const auto& [name, of] : ends) {
      ids.clear();
      for (const auto& id : of)
        ids.push_back(view(id));
      if (const auto status = set(c.get(), view(name), ids.data(), ids.size()); status != TELELINK_STATUS_OK) {
        return status;
      }
    }
    return TELELINK_STATUS_OK;
  };
  auto status = fill(graph.published_topics, telelink_connection_graph_set_published_topic);
  if (status == TELELINK_STATUS_OK) {
    status = fill(graph.subscribed_topics, telelink_connection_graph_set_subscribed_topic);
  }
  if (status == TELELINK_STATUS_OK) {
    status = fill(graph.advertised_services, telelink_connection_graph_set_advertised_service);
  }
  if (status != TELELINK_STATUS_OK) return last_error(status);
  return c;
}

}  // namespace detail
}  // namespace telelink

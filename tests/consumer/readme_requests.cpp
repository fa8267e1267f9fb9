// What the README shows under "What viewers can do". Compiled and linked, not run: it needs a server.
#include <telelink/telelink.hpp>

#include <iostream>
#include <string_view>
#include <utility>

static bool drive_to_dock(std::string_view request) {
  return !request.empty();
}
static void set_speed_limit(double) {}
static void drive(std::string_view) {}
static void stop_the_motors() {}

// clang-format off
int main() {
  telelink::Context context;
  telelink::SessionOptions options;

  telelink::Service dock;
  dock.name = "/dock";
  dock.type = "robot/Dock";
  dock.request = telelink::json();
  dock.handler = [](const telelink::ServiceRequest& request, telelink::ServiceResponder responder) {
    if (drive_to_dock(request.payload.text())) responder.respond(R"({"docked": true})");
    else responder.fail("there is no dock in sight");
  };
  options.services.push_back(std::move(dock));

  telelink::ParameterStore parameters;
  auto speed = parameters.declare("/max_speed", 0.5, telelink::ParameterOptions{}
      .description("m/s").range(0.0, 2.0).on_change([](double value) { set_speed_limit(value); }));
  if (!speed) { std::cerr << speed.error().message << '\n'; return 1; }
  options.parameter_store = parameters;

  options.asset_folder = telelink::AssetFolder{}.package("my_robot", "/opt/my_robot/share");

  options.capabilities = telelink::Capabilities::client_publish | telelink::Capabilities::connection_graph;
  options.supported_encodings = {"json"};
  options.callbacks.on_message = [](telelink::ClientView, telelink::ClientChannelView channel,
                                    const telelink::ClientMessage& message) {
    if (channel.topic() == "/cmd_vel") drive(message.payload.text());
  };

  options.rights = telelink::Rights{};
  options.rights->default_role.subscribe = {"/camera/*", "/battery"};
  options.rights->roles["operator"] = telelink::RoleRules::everything();

  options.control_lease = telelink::ControlLease{};
  options.control_lease->on_lost = [](telelink::ClientView, telelink::ControlLost) { stop_the_motors(); };

  auto session = telelink::Session::start(context, std::move(options));
  if (!session) { std::cerr << session.error().message << '\n'; return 1; }

  telelink::ConnectionGraph graph;
  graph.published_topics["/scan"] = {"lidar_driver"};
  graph.subscribed_topics["/scan"] = {"slam", "safety"};
  if (auto shown = session->publish_connection_graph(graph); !shown) std::cerr << shown.error().message << '\n';
}

// The code of docs/rights.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace {

struct Motors {
  int stops = 0;
  void stop() { ++stops; }
};

TEST(Rights, NarrowWhatAViewerMayDo) {
  Page page;
  auto& options = page.options;
  options.services.push_back(telelink::Service{
      "/dock", "",
      [](const telelink::ServiceRequest&, const telelink::ServiceResponder& responder) { responder.respond("true"); },
      telelink::json()});
  options.rights = telelink::Rights{};
  options.rights->default_role.subscribe = {"/camera/*", "/battery"};
  options.rights->roles["operator"] = telelink::RoleRules::everything();
  options.authorize = [](telelink::ClientView client, telelink::Action action, std::string_view subject) {
    const bool admin = action == telelink::Action::call && subject.substr(0, 7) == "/admin/";
    return !admin || client.identity() == "fleet-manager";
  };
  const auto battery = page.context.channel("/battery", telelink::json());
  const auto secret = page.context.channel("/secret", telelink::json());
  page.start();
  EXPECT_TRUE(page.viewer->wait_channel("/battery"));
  EXPECT_TRUE(page.viewer->subscribe("/battery"));
  EXPECT_EQ(page.call("/dock", "{}").substr(0, 7), "failed:") << "the default role may not";
}

TEST(Rights, TheLeaseTellsWhenControlIsLost) {
  Motors motors;
  Page page;
  auto& options = page.options;
  telelink::ControlLease lease;
  lease.publish = {"/cmd_vel"};  // what needs control; default: everything
  lease.on_lost = [&](telelink::ClientView, telelink::ControlLost) { motors.stop(); };
  options.control_lease = std::move(lease);
  page.start();
  EXPECT_EQ(page.call("/telelink/control/take", "{}"), R"({"holder":"operator","you":true,"timeout_ms":3000})");
  EXPECT_EQ(page.call("/telelink/control/release", "{}"), R"({"holder":null,"you":false,"timeout_ms":3000})");
  ASSERT_TRUE(page.session->close());
  page.session.reset();
  EXPECT_EQ(motors.stops, 1);
}

}  // namespace

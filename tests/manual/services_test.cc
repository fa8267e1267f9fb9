// The code of docs/services.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <iostream>
#include <string_view>
#include <utility>

namespace {

bool drive_to_dock(std::string_view request) {
  return request == "{}";
}

void switch_lamp(const telelink::ServiceRequest&, const telelink::ServiceResponder& responder) {
  responder.respond("true");
}

/// Answers at once, as a worker with nothing else to do.
struct Jobs {
  static void push(const telelink::ServiceResponder& responder) { responder.respond(R"({"walls": 4})"); }
};

TEST(Services, AnswerOrFail) {
  Page page;
  auto& options = page.options;
  telelink::Service dock;
  dock.name = "/dock";
  dock.type = "robot/Dock";
  dock.request = telelink::json();
  dock.response = telelink::json();
  dock.timeout = std::chrono::seconds{30};
  dock.handler = [](const telelink::ServiceRequest& request, telelink::ServiceResponder responder) {
    if (drive_to_dock(request.payload.text()))
      responder.respond(R"({"docked": true})");
    else
      responder.fail("there is no dock in sight");
  };
  options.services.push_back(std::move(dock));
  Jobs jobs;
  options.services.push_back(
      telelink::Service{"/scan_room", "",
                        [&jobs](const telelink::ServiceRequest&, telelink::ServiceResponder responder) {
                          jobs.push(std::move(responder));  // some other thread: responder.respond(R"({"walls": 4})")
                        },
                        telelink::json()});
  page.start();
  EXPECT_EQ(page.call("/dock", "{}"), R"({"docked": true})");
  EXPECT_EQ(page.call("/dock", "?"), "failed: there is no dock in sight");
  EXPECT_EQ(page.call("/scan_room", ""), R"({"walls": 4})");
  const auto refused = page.viewer->call("/dock", "cbor", "");
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_TRUE(refused->failed) << "another encoding";
}

TEST(Services, ComeAndGo) {
  Page page;
  page.start();
  auto& session = page.session;
  telelink::Service lamp{"/lamp", "", switch_lamp, telelink::json()};
  if (auto added = session->add_service(std::move(lamp)); !added) std::cerr << added.error().message << '\n';
  if (auto removed = session->remove_service("/lamp"); !removed) std::cerr << removed.error().message << '\n';
  EXPECT_TRUE(page.viewer->wait_no_service("/lamp"));
}

}  // namespace

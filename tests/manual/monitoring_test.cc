// The code of docs/monitoring.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <functional>
#include <string>

namespace {

/// What HTTP servers look like.
struct Response {
  std::string body = {};
};
struct Server {
  std::function<void(int&, Response&)> handler = {};
  template <class F>
  void get(const char*, F function) {
    handler = function;
  }
};

TEST(Monitoring, RendersAPage) {
  Page page;
  page.start();
  auto& session = *page.session;
  Server server;
  server.get("/metrics", [&](auto&, auto& response) {
    if (auto text = session.prometheus({{"robot", "digger-7"}})) response.body = *text;
  });
  int request = 0;
  Response response;
  server.handler(request, response);
  EXPECT_NE(response.body.find(R"(telelink_connected{robot="digger-7"} 1)"), std::string::npos) << response.body;
}

}  // namespace

// The code of docs/cpp-api.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <iostream>

namespace {

int log_battery(const telelink::Context& context) {
  auto channel = context.channel("/battery", telelink::json());
  if (!channel) {
    std::cerr << telelink::to_string(channel.error().status) << ": " << channel.error().message << '\n';
    return 1;
  }
  channel->log(R"({"percent": 81})");
  return 0;
}

TEST(CppApi, ReportsErrorsAsResults) {
  EXPECT_EQ(log_battery(telelink::Context{}), 0);
}

}  // namespace

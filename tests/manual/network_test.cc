// The code of docs/network.md: compiled, and the option taken. tests/network shows what it is good for.
#include "page.hpp"

namespace {

TEST(Network, LiteralIceServersAreTaken) {
  Page page;
  auto& options = page.options;
  options.ice_servers = {telelink::IceServer{{"stun:10.0.0.5:3478"}, "", ""}};
  page.start();
}

}  // namespace

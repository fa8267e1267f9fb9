// Compiled with -fno-exceptions -fno-rtti.
#include "modes.hpp"

#include <utility>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this file must be compiled without exceptions and RTTI"
#endif

namespace modes {

telelink::Result<telelink::Session> start_without_exceptions(const telelink::Context& context,
                                                             const telelink::testing::Server& server, int& called) {
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "plain");
  options.callbacks.on_subscribe = [&called](telelink::ClientView, telelink::ChannelView) { ++called; };
  return telelink::Session::start(context, std::move(options));
}

}  // namespace modes

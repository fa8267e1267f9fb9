// Objects compiled with and without exceptions in one program: each session has the trampolines of the part that
// started it, whichever of the inline functions the linker kept.
#include "modes.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

namespace modes {

telelink::Result<telelink::Session> start_with_exceptions(const telelink::Context& context,
                                                          const telelink::testing::Server& server, int& thrown) {
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "throwing");
  options.callbacks.on_subscribe = [&thrown](telelink::ClientView, telelink::ChannelView) {
    ++thrown;
    throw std::runtime_error("contained");
  };
  return telelink::Session::start(context, std::move(options));
}

}  // namespace modes

namespace {

TEST(Modes, PartsWithAndWithoutExceptionsLiveInOneProgram) {
  telelink::testing::Server server;
  int thrown = 0;
  int called = 0;
  for (const auto start : {&modes::start_without_exceptions, &modes::start_with_exceptions}) {
    const bool with = start == &modes::start_with_exceptions;
    telelink::Context context;
    auto battery = context.channel("/battery", telelink::json());
    const auto session = start(context, server, with ? thrown : called);
    ASSERT_TRUE(session) << session.error().message;
    auto viewer = server.viewer("yard", with ? "first" : "second");
    ASSERT_TRUE(viewer);
    const auto subscribed = viewer->subscribe("/battery");
    ASSERT_TRUE(subscribed) << subscribed.error().message;
    ASSERT_TRUE(session->close());
  }
  EXPECT_EQ(thrown, 1);
  EXPECT_EQ(called, 1);
}

}  // namespace

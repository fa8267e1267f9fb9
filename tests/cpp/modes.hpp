// One program of two parts, one compiled with exceptions and one without: see modes_test.cc.
#pragma once

#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

namespace modes {

/// Starts a session whose on_subscribe throws. Compiled with exceptions.
telelink::Result<telelink::Session> start_with_exceptions(const telelink::Context& context,
                                                          const telelink::testing::Server& server, int& thrown);

/// Starts a session whose on_subscribe counts. Compiled with -fno-exceptions -fno-rtti.
telelink::Result<telelink::Session> start_without_exceptions(const telelink::Context& context,
                                                             const telelink::testing::Server& server, int& called);

}  // namespace modes

// The thread hook of the wrapper: what it is told, and that what it throws stays in it.
#include "support.hpp"

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace {

using support::Count;
using telelink::ThreadRole;

TEST(ThreadHook, IsToldRoleAndNameAndMayThrow) {
  Count ended;
  std::mutex mutex;
  std::set<std::pair<ThreadRole, std::string>> seen;
  ::testing::internal::CaptureStderr();
  const auto set =
      telelink::set_thread_hook([&, end = support::counts_its_end(ended)](ThreadRole role, std::string_view name) {
        {
          const std::lock_guard lock{mutex};
          seen.emplace(role, name);
        }
        throw std::string{"this is no std::exception"};
      });
  ASSERT_TRUE(set) << set.error().message;
  telelink::testing::Server server;
  telelink::Context context;
  Count connected;
  auto options = support::robot(server);
  options.callbacks.on_status = [&](telelink::ConnectionStatus status, const telelink::Error*) {
    if (status == telelink::ConnectionStatus::connected) connected.add();
  };
  {
    auto session = telelink::Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_TRUE(connected.wait()) << "a thread whose hook throws works all the same";
  }
  ASSERT_TRUE(telelink::set_thread_hook({}));
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(ended.get(), 1);
  const auto text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("the thread hook threw"), std::string::npos) << text;
  const std::lock_guard lock{mutex};
  EXPECT_EQ(seen.count({ThreadRole::events, "tl-events"}), 1U);
}

// S-13: the thread of a token callback may come late.
TEST(ThreadHook, StopBeforeTheTokenThreadRunsAsksForNoToken) {
  Count started, go_on, stopping;
  const auto set = telelink::set_thread_hook([&](ThreadRole role, std::string_view) {
    if (role != ThreadRole::token) return;
    started.add();
    go_on.wait();
  });
  ASSERT_TRUE(set) << set.error().message;
  telelink::testing::Server server;
  telelink::Context context;
  Count asked;
  auto options = support::robot(server);
  options.token.clear();
  options.token_callback = [&]() -> telelink::Result<std::string> {
    asked.add();
    return telelink::Error{telelink::Status::unauthorized, "asked"};
  };
  options.callbacks.on_status = [&](telelink::ConnectionStatus status, const telelink::Error*) {
    if (status == telelink::ConnectionStatus::shutting_down) stopping.add();
  };
  {
    auto session = telelink::Session::start(context, std::move(options));
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_TRUE(started.wait());
    EXPECT_TRUE(session->close(std::chrono::milliseconds{0}));
    EXPECT_TRUE(stopping.wait());
    go_on.add();
  }
  EXPECT_EQ(asked.get(), 0);
  ASSERT_TRUE(telelink::set_thread_hook({}));
}

TEST(MallocArenas, AreBounded) {
  const auto none = telelink::set_malloc_arenas(0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().status, telelink::Status::invalid_value);
#ifdef __GLIBC__
  EXPECT_TRUE(telelink::set_malloc_arenas(8));
#endif
}

}  // namespace

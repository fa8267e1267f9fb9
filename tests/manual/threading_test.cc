// The code of docs/threading.md: compiled, and run where it may fail, for a test machine need not have four cores.
#include "page.hpp"

#include <iostream>
#include <pthread.h>
#include <sched.h>
#include <string_view>

namespace {

TEST(Threading, TheHookSeesEachThreadStart) {
  Page page;
  auto hooked = telelink::set_thread_hook([](telelink::ThreadRole role, std::string_view) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(role == telelink::ThreadRole::video ? 3 : 2, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
  });
  if (!hooked) std::cerr << hooked.error().message << '\n';
  ASSERT_TRUE(hooked);
  page.start();
  ASSERT_TRUE(telelink::set_thread_hook(nullptr));
}

}  // namespace

// The hook that sees the library's threads start: their names, their roles, and what it does to them.
#include "support.hpp"

#include <algorithm>
#include <dirent.h>
#include <fstream>
#include <map>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <string>
#include <vector>

namespace {

using support::Event;

/// Threads of this process by name, with the processors that each may use.
std::multimap<std::string, std::string> threads() {
  std::multimap<std::string, std::string> found;
  DIR* folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) {
    const std::string task = std::string{"/proc/self/task/"} + entry->d_name;
    std::string name;
    std::string line;
    std::string processors;
    std::getline(std::ifstream{task + "/comm"}, name);
    std::ifstream status{task + "/status"};
    while (std::getline(status, line)) {
      if (line.rfind("Cpus_allowed_list:\t", 0) == 0) processors = line.substr(19);
    }
    if (!name.empty()) found.emplace(name, processors);
  }
  closedir(folder);
  return found;
}

struct Hook {
  std::mutex mutex;
  std::set<std::pair<std::int32_t, std::string>> seen;
  Event events, dropped;
};

/// Puts each thread on processor 0, and writes down what it was told and what the thread is called.
void on_start(void* context, std::int32_t role, telelink_str name) {
  auto& hook = *static_cast<Hook*>(context);
  char own[16] = {};
  EXPECT_EQ(pthread_getname_np(pthread_self(), own, sizeof own), 0);
  EXPECT_EQ(support::string(name), own);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  EXPECT_EQ(pthread_setaffinity_np(pthread_self(), sizeof set, &set), 0);
  {
    const std::lock_guard lock{hook.mutex};
    hook.seen.emplace(role, own);
  }
  if (role == TELELINK_THREAD_ROLE_EVENTS) hook.events.set();
}

TEST(Threads, AreNamedAndShownToTheHookWhichPlacesThem) {
  Hook hook;
  telelink_thread_callbacks callbacks;
  ASSERT_EQ(telelink_thread_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
  callbacks.context = &hook;
  callbacks.drop = [](void* context) { static_cast<Hook*>(context)->dropped.set(); };
  callbacks.on_start = &on_start;
  ASSERT_EQ(telelink_thread_set_callbacks(&callbacks), TELELINK_STATUS_OK) << telelink_last_error_message();

  support::Robot robot;
  robot.options.token = {};
  // Makes a thread of its own for each question.
  telelink_token_callbacks token;
  ASSERT_EQ(telelink_token_callbacks_init(&token, sizeof token), TELELINK_STATUS_OK);
  Event asked;
  token.context = &asked;
  token.on_token = [](void* context, const telelink_token_request* request) {
    telelink_token_request_fail(request, support::text("none"));
    static_cast<Event*>(context)->set();
  };
  robot.options.token_callbacks = &token;
  robot.start();
  ASSERT_TRUE(hook.events.wait());
  ASSERT_TRUE(asked.wait());

  const auto found = threads();
  ASSERT_EQ(found.count("tl-events"), 1U);
  EXPECT_EQ(found.find("tl-events")->second, "0");
  // Those of the process are there already when another test has run before; the hook comes too late for them.
  EXPECT_EQ(found.count("tl-core"), 2U);
  // GoogleTest's own threads are called as the program, which under qemu is the emulator.
  std::string program;
  std::getline(std::ifstream{"/proc/self/comm"}, program);
  for (const auto& [name, processors] : found) {
    const bool ours = name.rfind("tl-", 0) == 0;
    EXPECT_TRUE(ours || name == program) << "a thread without a name: " << name;
  }
  telelink_session_free(robot.release());
  {
    const std::lock_guard lock{hook.mutex};
    EXPECT_EQ(hook.seen.count({TELELINK_THREAD_ROLE_EVENTS, "tl-events"}), 1U);
    EXPECT_EQ(hook.seen.count({TELELINK_THREAD_ROLE_TOKEN, "tl-token"}), 1U);
  }

  ASSERT_EQ(telelink_thread_set_callbacks(nullptr), TELELINK_STATUS_OK);
  ASSERT_TRUE(hook.dropped.wait());
  EXPECT_EQ(hook.dropped.count(), 1);
  support::Robot unseen;
  const auto before = hook.events.count();
  unseen.start();
  telelink_session_free(unseen.release());
  EXPECT_EQ(hook.events.count(), before) << "a hook that was taken away is not called";
}

TEST(Threads, HookMayCallTelelink) {
  struct Nested {
    std::atomic<int> left{1};
    Event done;
  } nested;
  telelink_thread_callbacks callbacks;
  ASSERT_EQ(telelink_thread_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
  callbacks.context = &nested;
  callbacks.on_start = [](void* context, std::int32_t role, telelink_str) {
    auto& me = *static_cast<Nested*>(context);
    if (role != TELELINK_THREAD_ROLE_EVENTS || me.left.fetch_sub(1) != 1) return;
    {
      support::Robot inner;  // starts a session and frees it, on a thread that is only just starting
      inner.start();
    }
    EXPECT_EQ(telelink_thread_set_callbacks(nullptr), TELELINK_STATUS_OK) << "a hook may take itself away";
    me.done.set();
  };
  ASSERT_EQ(telelink_thread_set_callbacks(&callbacks), TELELINK_STATUS_OK);
  support::Robot robot;
  robot.start();
  ASSERT_TRUE(nested.done.wait());
  telelink_session_free(robot.release());
}

TEST(Threads, ContextIsConsumedOnFailureToo) {
  Event dropped;
  telelink_thread_callbacks callbacks;
  ASSERT_EQ(telelink_thread_callbacks_init(&callbacks, sizeof callbacks), TELELINK_STATUS_OK);
  callbacks.context = &dropped;
  callbacks.drop = &support::drop_event;
  EXPECT_EQ(telelink_thread_set_callbacks(&callbacks), TELELINK_STATUS_NULL_ARGUMENT);
  EXPECT_EQ(dropped.count(), 1);
}

}  // namespace

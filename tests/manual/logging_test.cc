// The code of docs/logging.md. A test of the repository compares both.
#include "page.hpp"

#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string_view>

namespace {

std::mutex lock;
std::condition_variable changed;
int records = 0;

void my_log(telelink::LogLevel level, telelink::Time, std::string_view target, std::string_view message) {
  EXPECT_NE(level, telelink::LogLevel::off);
  EXPECT_FALSE(target.empty());
  EXPECT_FALSE(message.empty());
  const std::lock_guard<std::mutex> guard(lock);
  ++records;
  changed.notify_all();
}

TEST(Logging, RecordsReachTheApplication) {
  Page page;
  auto logging = telelink::set_log(telelink::LogLevel::info, [](const telelink::LogRecord& record) {
    my_log(record.level, record.time, record.target, record.message);
  });
  if (!logging) std::cerr << logging.error().message << '\n';
  ASSERT_TRUE(logging);
  page.start();
  {
    std::unique_lock<std::mutex> guard(lock);
    EXPECT_TRUE(changed.wait_for(guard, std::chrono::seconds{30}, [] { return records > 0; }));
  }
  ASSERT_TRUE(telelink::set_log(telelink::LogLevel::off, nullptr));
}

}  // namespace

// What the C++ suites share.
#pragma once

#include <telelink/telelink.hpp>
#include <telelink/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace support {

/// Options of a robot "robot" in the room "yard".
inline telelink::SessionOptions robot(const telelink::testing::Server& server) {
  telelink::SessionOptions options;
  options.url = server.url();
  options.token = server.token("yard", "robot");
  options.name = "digger";
  return options;
}

/// Something that one thread waits for and others count.
class Count {
 public:
  void add() {
    const std::lock_guard lock{mutex_};
    ++count_;
    changed_.notify_all();
  }

  bool wait(int times = 1) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return count_ >= times; });
  }

  int get() {
    const std::lock_guard lock{mutex_};
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// What a viewer is sent of these parameters, which are JSON objects with commas between them.
inline std::string parameter_values(const std::string& parameters, const std::string& id = "") {
  return R"({"op":"parameterValues","parameters":[)" + parameters + "]" + (id.empty() ? "" : R"(,"id":")" + id + "\"") +
         "}";
}

/// Captured by a callback, counts its destruction: a copy of a std::function shares it.
inline std::shared_ptr<void> counts_its_end(Count& count) {
  return std::shared_ptr<void>(nullptr, [&count](void*) { count.add(); });
}

}  // namespace support

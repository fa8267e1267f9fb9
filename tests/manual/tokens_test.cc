// The code of docs/tokens.md, run on the in-memory room. A test of the repository compares both.
#include "page.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

std::string token_of_test = {};

std::string environment(std::string_view name) {
  return name == "LIVEKIT_TOKEN" ? token_of_test : "value of " + std::string{name};
}

std::optional<std::string> ask_fleet_service() {
  if (token_of_test.empty()) return std::nullopt;
  return token_of_test;
}

TEST(Tokens, ComeFromACallbackOrAreGiven) {
  for (const bool with_callback : {true, false}) {
    Page page;
    auto& options = page.options;
    token_of_test = options.token;
    options.token.clear();
    if (with_callback) {
      options.token_callback = []() -> telelink::Result<std::string> {
        if (auto token = ask_fleet_service()) return *token;
        return telelink::Error{telelink::Status::connect_failed, "the fleet service gives no token"};
      };
    } else {
      options.token = environment("LIVEKIT_TOKEN");
    }
    page.start();
    EXPECT_EQ(page.session->status(), telelink::ConnectionStatus::connected);
  }
}

TEST(Tokens, ThatCannotBeHadAreReported) {
  Page page;
  auto& options = page.options;
  options.token.clear();
  token_of_test.clear();
  // As on the page, where the reason is.
  options.token_callback = []() -> telelink::Result<std::string> {
    if (auto token = ask_fleet_service()) return *token;
    return telelink::Error{telelink::Status::connect_failed, "the fleet service gives no token"};
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::string said;
  options.callbacks.on_status = [&](telelink::ConnectionStatus, const telelink::Error* reason) {
    const std::lock_guard lock{mutex};
    if (reason != nullptr) said = reason->message;
    changed.notify_all();
  };
  const auto session = telelink::Session::start(page.context, std::move(options));
  ASSERT_TRUE(session) << session.error().message;
  std::unique_lock lock{mutex};
  ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds{20}, [&] { return !said.empty(); }));
  EXPECT_NE(said.find("the fleet service gives no token"), std::string::npos) << said;
}

TEST(Tokens, AreMadeFromAKeyPair) {
  telelink::SessionOptions options;
  telelink::ApiKey key;
  key.key = environment("LIVEKIT_API_KEY");
  key.secret = environment("LIVEKIT_API_SECRET");
  key.room = "digger-7";
  key.identity = "digger-7";
  options.api_key = key;
  ASSERT_TRUE(options.api_key);
  EXPECT_EQ(options.api_key->secret, "value of LIVEKIT_API_SECRET");
  options.url = "ws://127.0.0.1:1";
  options.auto_reconnect = false;
  options.token = "another source";
  const telelink::Context context;
  EXPECT_EQ(telelink::Session::start(context, options).status(), telelink::Status::invalid_value) << "two sources";
}

}  // namespace

// A whole robot: docs/install.md shows it, scripts/test-package.sh builds it with the installed packages
// and watches it.
#include <telelink/telelink.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

// clang-format off
int main() {
  telelink::Context context;
  telelink::SessionOptions options;
  auto session = telelink::Session::start(context, std::move(options));
  if (!session) { std::cerr << session.error().message << '\n'; return 1; }

  auto battery = context.channel("/battery", telelink::json());
  if (!battery) { std::cerr << battery.error().message << '\n'; return 1; }
  for (int percent = 100;; percent = percent == 0 ? 100 : percent - 1) {
    battery->log(R"({"percent": )" + std::to_string(percent) + "}");
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

// The program that telelink.hpp and the README show. Compiled and linked, not run: it needs a server.
#include <telelink/telelink.hpp>

#include <iostream>
#include <string>
#include <utility>

static std::string read_token() {
  return "a token";
}
static volatile bool running = true;

// clang-format off
int main() {
  telelink::Context context;
  telelink::SessionOptions options;
  options.url = "ws://127.0.0.1:7880";
  options.token = read_token();
  auto session = telelink::Session::start(context, std::move(options));
  if (!session) { std::cerr << session.error().message << '\n'; return 1; }

  auto battery = context.channel("/battery", telelink::json());
  while (running) battery->log(R"({"percent": 81})");
}

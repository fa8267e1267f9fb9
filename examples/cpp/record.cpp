// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// Records to an MCAP file, and shows the same messages to remote viewers if there is a server:
//
//   record FILE.mcap                                                      only the file
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... record FILE.mcap    both, from one log()
//
// Ctrl-C finishes the file. Killed in any other way, the file can be read up to its last whole chunk.
#include <telelink/telelink.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace {

volatile std::sig_atomic_t stop = 0;

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE.mcap\n", argv[0]);
    return 2;
  }
  std::signal(SIGINT, [](int) { stop = 1; });
  std::signal(SIGTERM, [](int) { stop = 1; });
  if (const auto log = telelink::log_to_stderr(); !log) return 1;

  telelink::Context context;

  telelink::McapWriterOptions recording;
  recording.path = argv[1];
  recording.on_error = [](const telelink::Error& error) {
    std::fprintf(stderr, "the recording has ended: %s\n", error.message.c_str());
  };
  auto writer = telelink::McapWriter::start(context, std::move(recording));
  if (!writer) {
    std::fprintf(stderr, "%s\n", writer.error().message.c_str());
    return 1;
  }

  std::optional<telelink::Session> session;
  if (const std::string url = env("LIVEKIT_URL"); !url.empty()) {
    telelink::SessionOptions options;
    options.url = url;
    options.token = env("LIVEKIT_TOKEN");
    options.name = "record";
    auto started = telelink::Session::start(context, std::move(options));
    if (!started) {
      std::fprintf(stderr, "%s\n", started.error().message.c_str());
      return 1;
    }
    session.emplace(std::move(*started));
  }

  const auto wave = context.channel("/wave", telelink::json_schema("Wave", R"({"type":"object","properties":{
    "seconds":{"type":"number"},"value":{"type":"number"}}})"));
  if (!wave) {
    std::fprintf(stderr, "%s\n", wave.error().message.c_str());
    return 1;
  }
  const auto start = std::chrono::steady_clock::now();
  while (stop == 0) {
    const double seconds = std::chrono::duration<double>{std::chrono::steady_clock::now() - start}.count();
    char json[96];
    const int length = std::snprintf(json, sizeof json, R"({"seconds":%.3f,"value":%.6f})", seconds, std::sin(seconds));
    wave->log(std::string_view{json, static_cast<std::size_t>(length)});
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }

  if (const auto closed = writer->close(); !closed) {
    std::fprintf(stderr, "%s\n", closed.error().message.c_str());
    return 1;
  }
  if (const auto stats = writer->stats()) {
    std::printf("%llu messages, %llu dropped, %llu bytes\n", static_cast<unsigned long long>(stats->messages),
                static_cast<unsigned long long>(stats->dropped_messages),
                static_cast<unsigned long long>(stats->file_bytes));
  }
  return 0;
}

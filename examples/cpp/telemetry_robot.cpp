// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// A robot without motors: shows this machine's own telemetry to remote viewers.
//
//   /cpu /memory /network /disk /temperatures   JSON with a JSON Schema, 10 Hz, lossy: the newest value is what counts
//   /loop                                       protobuf, 200 Hz, lossy: how punctual the loop in main() is
//   /log                                        foxglove.Log, reliable: every line arrives, in order
//
// and lets them act on it:
//
//   service    /telemetry/set_rate {"hz": 20}                     how often the JSON channels are published
//   parameters /telemetry/rate_hz, /telemetry/memory_warning_percent
//   asset      package://telemetry_robot/robot.urdf
//   connection graph: who publishes what
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... telemetry_robot
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=... LIVEKIT_API_SECRET=... telemetry_robot ROOM
#include <telelink/telelink.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/statvfs.h>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// ---- JSON by hand: enough for flat records ----

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* text, ...) {
  std::array<char, 1024> buffer{};
  va_list values;
  va_start(values, text);
  std::vsnprintf(buffer.data(), buffer.size(), text, values);
  va_end(values);
  return buffer.data();
}

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return json + '"';
}

std::string json_array(const std::vector<std::string>& items) {
  std::string json = "[";
  for (const auto& item : items)
    json += (json.size() > 1 ? "," : "") + item;
  return json + ']';
}

// ---- What the machine says about itself ----

/// The first line of a small file of /proc or /sys; empty when it cannot be read.
std::string first_line(const fs::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line;
}

/// The first N numbers of a line; 0 for those that are missing.
template <std::size_t N>
std::array<double, N> numbers(const std::string& line) {
  std::array<double, N> values{};
  std::istringstream in{line};
  for (auto& value : values)
    in >> value;
  return values;
}

/// What is in a folder, sorted; nothing when there is no such folder.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error))
    found.push_back(it->path());
  std::sort(found.begin(), found.end());
  return found;
}

/// A counter that only grows, seen as a rate.
class Rate {
 public:
  /// Per second since the call before; 0 the first time and when the counter started anew.
  double update(double counter) {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>{now - when_}.count();
    const double rate = known_ && seconds > 0 && counter >= counter_ ? (counter - counter_) / seconds : 0.0;
    counter_ = counter;
    when_ = now;
    known_ = true;
    return rate;
  }

 private:
  double counter_ = 0;
  Clock::time_point when_ = {};
  bool known_ = false;
};

/// How busy each core is.
class Cpu {
 public:
  static constexpr const char* schema = R"({"type":"object","properties":{
    "percent":{"type":"number","description":"busy share of all cores together"},
    "cores_percent":{"type":"array","items":{"type":"number"},"description":"busy share of each core"},
    "load_1min":{"type":"number","description":"load average"}}})";

  std::string sample() {
    std::ifstream in{"/proc/stat"};
    std::string line;
    std::getline(in, line);  // all cores together
    const double percent = all_.update(line);
    std::vector<std::string> cores;
    while (std::getline(in, line) && line.compare(0, 3, "cpu") == 0) {
      if (cores_.size() <= cores.size()) cores_.emplace_back();
      cores.push_back(format("%.1f", cores_[cores.size()].update(line)));
    }
    return format(R"({"percent":%.1f,"cores_percent":)", percent) + json_array(cores) +
           format(R"(,"load_1min":%.2f})", numbers<1>(first_line("/proc/loadavg"))[0]);
  }

 private:
  class Core {
   public:
    double update(const std::string& line) {
      // user nice system idle iowait irq softirq steal; guest time is part of user time.
      const auto ticks = numbers<8>(line.substr(std::min(line.find(' '), line.size())));
      double total = 0;
      for (const double t : ticks)
        total += t;
      const double idle = ticks[3] + ticks[4];
      // The kernel counts in steps of 10 ms: without a step the last figure stands.
      if (total > total_) percent_ = 100 * std::clamp(1 - (idle - idle_) / (total - total_), 0.0, 1.0);
      total_ = total;
      idle_ = idle;
      return percent_;
    }

   private:
    double total_ = 0, idle_ = 0, percent_ = 0;
  };

  Core all_ = {};
  std::vector<Core> cores_ = {};
};

struct Memory {
  static constexpr const char* schema = R"({"type":"object","properties":{
    "total_bytes":{"type":"number"},"used_percent":{"type":"number"},"swap_used_bytes":{"type":"number"},
    "available_bytes":{"type":"number","description":"what programs can still get"}}})";

  double total = 0, available = 0, swap_used = 0;  // bytes

  static Memory read() {
    std::map<std::string, double> bytes;
    std::ifstream in{"/proc/meminfo"};
    for (std::string line; std::getline(in, line);) {
      const auto colon = line.find(':');
      if (colon != std::string::npos) bytes[line.substr(0, colon)] = 1024 * numbers<1>(line.substr(colon + 1))[0];
    }
    return {bytes["MemTotal"], bytes["MemAvailable"], bytes["SwapTotal"] - bytes["SwapFree"]};
  }

  double used_percent() const { return total > 0 ? 100 * (1 - available / total) : 0; }

  std::string json() const {
    return format(R"({"total_bytes":%.0f,"used_percent":%.2f,"swap_used_bytes":%.0f,"available_bytes":%.0f})", total,
                  used_percent(), swap_used, available);
  }
};

/// Traffic of each network interface.
class Network {
 public:
  static constexpr const char* schema = R"({"type":"object","properties":{"interfaces":{"type":"array","items":{
    "type":"object","properties":{"name":{"type":"string"},
    "received_bytes_per_s":{"type":"number"},"sent_bytes_per_s":{"type":"number"},
    "errors":{"type":"number","description":"since boot, both directions"},
    "dropped":{"type":"number","description":"since boot, both directions"}}}}}})";

  std::string sample() {
    std::vector<std::string> interfaces;
    std::ifstream in{"/proc/net/dev"};
    for (std::string line; std::getline(in, line);) {
      const auto colon = line.find(':');
      if (colon == std::string::npos) continue;  // the two lines of headings
      const auto name = line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' '));
      // Received: bytes, packets, errors, dropped and four more; from the ninth on, the same for sent.
      const auto n = numbers<16>(line.substr(colon + 1));
      interfaces.push_back(
          R"({"name":)" + json_text(name) +
          format(R"(,"received_bytes_per_s":%.0f,"sent_bytes_per_s":%.0f,"errors":%.0f,"dropped":%.0f})",
                 received_[name].update(n[0]), sent_[name].update(n[8]), n[2] + n[10], n[3] + n[11]));
    }
    return R"({"interfaces":)" + json_array(interfaces) + '}';
  }

 private:
  std::map<std::string, Rate> received_ = {}, sent_ = {};
};

/// Traffic of each disk, and how full the root file system is.
class Disk {
 public:
  static constexpr const char* schema = R"({"type":"object","properties":{
    "root_total_bytes":{"type":"number"},"root_available_bytes":{"type":"number"},
    "disks":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},
    "read_bytes_per_s":{"type":"number"},"written_bytes_per_s":{"type":"number"},
    "busy_percent":{"type":"number","description":"share of the time with a request under way"}}}}}})";

  std::string sample() {
    std::vector<std::string> disks;
    for (const auto& disk : entries("/sys/block")) {
      const auto n = numbers<10>(first_line(disk / "stat"));
      if (n[0] + n[4] == 0) continue;  // never read or written: unused loop devices and the like
      const auto name = disk.filename().string();
      disks.push_back(R"({"name":)" + json_text(name) +
                      format(R"(,"read_bytes_per_s":%.0f,"written_bytes_per_s":%.0f,"busy_percent":%.1f})",
                             read_[name].update(512 * n[2]), written_[name].update(512 * n[6]),
                             std::min(100.0, busy_[name].update(n[9] / 10))));
    }
    struct statvfs root {};
    if (statvfs("/", &root) != 0) root = {};
    const double block = static_cast<double>(root.f_frsize);
    return format(R"({"root_total_bytes":%.0f,"root_available_bytes":%.0f,"disks":)",
                  block * static_cast<double>(root.f_blocks), block * static_cast<double>(root.f_bavail)) +
           json_array(disks) + '}';
  }

 private:
  std::map<std::string, Rate> read_ = {}, written_ = {}, busy_ = {};
};

/// Temperature sensors; virtual machines have none.
class Temperatures {
 public:
  static constexpr const char* schema = R"({"type":"object","properties":{"sensors":{"type":"array","items":{
    "type":"object","properties":{"name":{"type":"string"},"celsius":{"type":"number"}}}}}})";

  Temperatures() {
    for (const auto& zone : entries("/sys/class/thermal"))
      add(first_line(zone / "type"), zone / "temp");
    for (const auto& chip : entries("/sys/class/hwmon")) {
      for (int i = 1; i <= 16; ++i) {
        add(first_line(chip / "name") + format(" %d", i), chip / format("temp%d_input", i));
      }
    }
  }

  bool any() const { return !sensors_.empty(); }

  std::string sample() const {
    std::vector<std::string> sensors;
    for (const auto& [name, file] : sensors_) {
      const auto millidegrees = first_line(file);
      if (millidegrees.empty()) continue;  // asleep, or unplugged
      sensors.push_back(R"({"name":)" + json_text(name) +
                        format(R"(,"celsius":%.1f})", numbers<1>(millidegrees)[0] / 1000));
    }
    return R"({"sensors":)" + json_array(sensors) + '}';
  }

 private:
  void add(std::string name, fs::path file) {
    if (!first_line(file).empty()) sensors_.emplace_back(std::move(name), std::move(file));
  }

  std::vector<std::pair<std::string, fs::path>> sensors_ = {};
};

// ---- The binary channel ----

/// One pass of the loop in main(), as protobuf. A robot with generated protobuf code would call SerializeToString() and
/// take the descriptor from `protoc --include_imports --descriptor_set_out`; here both are small enough to write down.
struct LoopTiming {
  std::uint64_t tick = 0;
  double late_us = 0;      // woke up that much later than planned
  double work_us = 0;      // the pass before took that long
  double cpu_percent = 0;  // this process, of one core

  static constexpr const char* name = "telelink.examples.LoopTiming";

  /// FileDescriptorSet of the file telelink/examples/loop_timing.proto:
  ///   syntax = "proto3";
  ///   package telelink.examples;
  ///   message LoopTiming { fixed64 tick = 1; double late_us = 2; double work_us = 3; double cpu_percent = 4; }
  static constexpr std::string_view descriptor_set{
      "\x0a\xb5\x01"
      "\x0a\x23telelink/examples/loop_timing.proto"
      "\x12\x11telelink.examples"
      "\x22\x73"
      "\x0a\x0aLoopTiming"
      "\x12\x12\x0a\x04tick\x18\x01\x20\x01\x28\x06R\x04tick"
      "\x12\x17\x0a\x07late_us\x18\x02\x20\x01\x28\x01R\x06lateUs"
      "\x12\x17\x0a\x07work_us\x18\x03\x20\x01\x28\x01R\x06workUs"
      "\x12\x1f\x0a\x0b"
      "cpu_percent\x18\x04\x20\x01\x28\x01R\x0a"
      "cpuPercent"
      "b\x06proto3",
      184};

  using Wire = std::array<std::uint8_t, 4 * 9>;

  /// Each field is a tag byte (number and wire type "64 bit") and eight bytes, least significant first.
  Wire encode() const {
    Wire wire{};
    std::uint64_t fields[4] = {tick, 0, 0, 0};
    const double doubles[3] = {late_us, work_us, cpu_percent};
    std::memcpy(&fields[1], doubles, sizeof doubles);
    for (std::size_t i = 0; i < 4; ++i) {
      wire[9 * i] = static_cast<std::uint8_t>((i + 1) << 3 | 1);
      for (std::size_t byte = 0; byte < 8; ++byte) {
        wire[9 * i + 1 + byte] = static_cast<std::uint8_t>(fields[i] >> (8 * byte));
      }
    }
    return wire;
  }
};

// ---- The log channel ----

enum class Level { debug = 1, info = 2, warning = 3, error = 4, fatal = 5 };

constexpr const char* kLogSchema = R"({"title":"foxglove.Log","type":"object","properties":{
  "timestamp":{"type":"object","title":"time","properties":{"sec":{"type":"integer"},"nsec":{"type":"integer"}}},
  "level":{"type":"integer","oneOf":[{"title":"UNKNOWN","const":0},{"title":"DEBUG","const":1},{"title":"INFO","const":2},
    {"title":"WARNING","const":3},{"title":"ERROR","const":4},{"title":"FATAL","const":5}]},
  "message":{"type":"string"},"name":{"type":"string"},"file":{"type":"string"},"line":{"type":"integer"}}})";

/// Logs a line; channels may be used from any thread.
void say(const telelink::Channel& log, Level level, std::string_view message) {
  const auto ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  log.log(
      format(
          R"({"timestamp":{"sec":%lld,"nsec":%lld},"level":%d,"name":"telemetry_robot","file":"","line":0,"message":)",
          static_cast<long long>(ns / 1'000'000'000), static_cast<long long>(ns % 1'000'000'000),
          static_cast<int>(level)) +
      json_text(message) + '}');
}

// ---- The robot ----

std::atomic<bool> running{true};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// What a Result holds; without it the robot cannot start.
template <class T>
T required(telelink::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "telemetry_robot: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}

telelink::SessionOptions options_from(int argc, char** argv) {
  telelink::SessionOptions options;
  options.name = "telemetry robot";
  options.url = environment("LIVEKIT_URL");
  if (argc > 1) {
    options.api_key =
        telelink::ApiKey{environment("LIVEKIT_API_KEY"), environment("LIVEKIT_API_SECRET"), argv[1], "telemetry-robot"};
  } else {
    options.token = environment("LIVEKIT_TOKEN");
  }
  return options;
}

// ---- What viewers can do ----

/// The number of `"name": number` in a flat JSON object.
std::optional<double> json_number(std::string_view json, const std::string& name) {
  const auto at = json.find('"' + name + '"');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string rest{json.substr(at + name.size() + 2)};
  double number = 0;
  return std::sscanf(rest.c_str(), " : %lf", &number) == 1 ? std::optional<double>{number} : std::nullopt;
}

/// Changes how often the robot publishes. The parameter knows what is allowed, and tells those who follow it.
telelink::Service set_rate_service(const telelink::ParameterHandle<double>& rate) {
  telelink::Service service;
  service.name = "/telemetry/set_rate";
  service.type = "telemetry/SetRate";
  service.request = telelink::json_schema(
      "telemetry.SetRate.Request", R"({"type":"object","properties":{"hz":{"type":"number"}},"required":["hz"]})");
  service.handler = [rate](const telelink::ServiceRequest& request, const telelink::ServiceResponder& responder) {
    const auto hz = json_number(request.payload.text(), "hz");
    if (!hz) {
      responder.fail(R"(the request is not like {"hz": 20})");
    } else if (const auto set = rate.set(*hz); !set) {
      responder.fail(set.error().message);
    } else {
      responder.respond(format(R"({"hz":%g})", rate.get()));
    }
  };
  return service;
}

constexpr const char* kUrdf = R"(<?xml version="1.0"?>
<robot name="telemetry_robot">
  <link name="base_link">
    <visual>
      <geometry><box size="0.30 0.20 0.08"/></geometry>
      <material name="steel"><color rgba="0.55 0.60 0.65 1"/></material>
    </visual>
  </link>
</robot>
)";

void serve_asset(const telelink::AssetRequest& request, const telelink::AssetResponder& responder) {
  if (request.uri == "package://telemetry_robot/robot.urdf") {
    responder.respond(std::string_view{kUrdf});
  } else {
    responder.fail("this robot has only package://telemetry_robot/robot.urdf");
  }
}

telelink::ConnectionGraph connection_graph(bool with_temperatures) {
  telelink::ConnectionGraph graph;
  for (const char* topic : {"/cpu", "/memory", "/network", "/disk", "/loop", "/log"})
    graph.published_topics[topic] = {"telemetry_robot"};
  if (with_temperatures) graph.published_topics["/temperatures"] = {"telemetry_robot"};
  graph.advertised_services["/telemetry/set_rate"] = {"telemetry_robot"};
  return graph;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });
  (void)telelink::log_to_stderr();  // without it the robot only misses the library's warnings

  const telelink::Context context;
  const auto json_channel = [&](std::string_view topic, const char* name, const char* schema) {
    return required(context.channel(topic, telelink::json_schema(name, schema)));
  };
  const auto cpu_channel = json_channel("/cpu", "telelink.examples.Cpu", Cpu::schema);
  const auto memory_channel = json_channel("/memory", "telelink.examples.Memory", Memory::schema);
  const auto network_channel = json_channel("/network", "telelink.examples.Network", Network::schema);
  const auto disk_channel = json_channel("/disk", "telelink.examples.Disk", Disk::schema);
  const auto loop_channel =
      required(context.channel("/loop", telelink::protobuf(LoopTiming::name, LoopTiming::descriptor_set)));
  telelink::ChannelOptions reliable;
  reliable.qos = telelink::Qos::reliable;
  const auto log = required(context.channel("/log", telelink::json_schema("foxglove.Log", kLogSchema), reliable));

  Cpu cpu;
  Network network;
  Disk disk;
  const Temperatures temperatures;
  std::optional<telelink::Channel> temperature_channel;
  if (temperatures.any()) {
    temperature_channel = json_channel("/temperatures", "telelink.examples.Temperatures", Temperatures::schema);
  }

  const telelink::ParameterStore parameters;
  const auto rate_hz = required(parameters.declare(
      "/telemetry/rate_hz", 10.0,
      telelink::ParameterOptions{}.description("how often the JSON channels are published").range(1.0, 50.0)));
  const auto memory_warning = required(parameters.declare(
      "/telemetry/memory_warning_percent", 90.0,
      telelink::ParameterOptions{}.description("used memory from which on the log warns").range(0.0, 100.0)));

  auto options = options_from(argc, argv);
  options.capabilities = telelink::Capabilities::connection_graph;
  options.parameter_store = parameters;
  options.services.push_back(set_rate_service(rate_hz));
  options.asset_handler = serve_asset;
  options.callbacks.on_status = [](telelink::ConnectionStatus status, const telelink::Error* reason) {
    if (status == telelink::ConnectionStatus::connected) std::puts("telemetry_robot: connected");
    if (reason != nullptr) std::fprintf(stderr, "telemetry_robot: %s\n", reason->message.c_str());
  };
  options.callbacks.on_subscribe = [&log](telelink::ClientView client, telelink::ChannelView channel) {
    say(log, Level::info, std::string{client.identity()} + " watches " + std::string{channel.topic()});
  };
  const auto session = required(telelink::Session::start(context, std::move(options)));
  if (const auto shown = session.publish_connection_graph(connection_graph(temperatures.any())); !shown) {
    std::fprintf(stderr, "telemetry_robot: %s\n", shown.error().message.c_str());
  }

  constexpr auto kPeriod = std::chrono::milliseconds{5};  // 200 Hz
  LoopTiming timing;
  Rate cpu_time;
  auto planned = Clock::now();
  while (running) {
    const auto woken = Clock::now();
    timing.late_us = std::chrono::duration<double, std::micro>{woken - planned}.count();
    loop_channel.log(timing.encode());

    const auto ticks_per_sample = static_cast<std::uint64_t>(std::max(1.0, std::round(200 / rate_hz.get())));
    if (timing.tick % ticks_per_sample == 0) {
      // Nobody looking: a channel costs nothing, and with is_wanted() making the message costs nothing either.
      if (cpu_channel.is_wanted()) cpu_channel.log(cpu.sample());
      if (memory_channel.is_wanted()) memory_channel.log(Memory::read().json());
      if (network_channel.is_wanted()) network_channel.log(network.sample());
      if (disk_channel.is_wanted()) disk_channel.log(disk.sample());
      if (temperature_channel && temperature_channel->is_wanted()) temperature_channel->log(temperatures.sample());
      timing.cpu_percent = 100 * cpu_time.update(static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
    }
    if (timing.tick % 200 == 0 && log.is_wanted()) {  // 1 Hz
      const double used = Memory::read().used_percent();
      say(log, used > memory_warning.get() ? Level::warning : Level::info,
          format("load %.2f, %.0f %% of the memory in use", numbers<1>(first_line("/proc/loadavg"))[0], used));
    }

    ++timing.tick;
    timing.work_us = std::chrono::duration<double, std::micro>{Clock::now() - woken}.count();
    planned = std::max(planned + kPeriod, woken);  // after a long pause go on from now, without catching up
    std::this_thread::sleep_until(planned);
  }

  if (const auto closed = session.close(); !closed) {
    std::fprintf(stderr, "telemetry_robot: %s\n", closed.error().message.c_str());
    return 1;
  }
  return 0;
}

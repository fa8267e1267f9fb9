// Copyright telelink contributors. SPDX-License-Identifier: Apache-2.0
//
// A camera that remote viewers watch as live video, on the channel /camera. Pictures come from the first V4L2 camera of
// this machine, or from a recording when there is none; ffmpeg reads either, and runs only while somebody watches.
//
//   LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_TOKEN=... camera [--device /dev/video0 | --file recording.mp4]
#include <telelink/telelink.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/videodev2.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::atomic<bool> running{true};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "camera: %s\n", reason.c_str());
  std::exit(1);
}

/// What a Result holds; without it the robot cannot start.
template <class T>
T required(telelink::Result<T> result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}

// ---- Where the pictures come from ----

/// Arguments of ffmpeg that name its input.
using Input = std::vector<std::string>;

Input device_input(const std::string& device) {
  return {"-f", "v4l2", "-i", device};
}

/// In its own speed, again and again.
Input file_input(const std::string& file) {
  return {"-re", "-stream_loop", "-1", "-i", file};
}

/// Many devices are not cameras: encoders, metadata, radio.
bool is_camera(const std::string& device) {
  const int fd = open(device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  v4l2_capability capability{};
  const bool answered = ioctl(fd, VIDIOC_QUERYCAP, &capability) == 0;
  close(fd);
  const auto has = [&](unsigned bit) {
    const bool own = (capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0;
    return ((own ? capability.device_caps : capability.capabilities) & bit) != 0;
  };
  return answered && has(V4L2_CAP_VIDEO_CAPTURE) && has(V4L2_CAP_STREAMING);
}

/// The first camera of the machine.
std::optional<std::string> find_camera() {
  for (int i = 0; i < 64; ++i) {
    const auto device = "/dev/video" + std::to_string(i);
    if (is_camera(device)) return device;
  }
  return std::nullopt;
}

/// A recording of people who walk past, from Debian's package opencv-doc.
std::optional<std::string> find_recording() {
  for (const char* folder : {"/usr/share/doc/opencv-doc/examples/data", "/usr/share/opencv4/samples/data"}) {
    const auto file = fs::path{folder} / "vtest.avi";
    std::error_code error;
    if (fs::is_regular_file(file, error)) return file.string();
  }
  return std::nullopt;
}

Input input_from(int argc, char** argv) {
  if (argc == 3 && std::string_view{argv[1]} == "--device") return device_input(argv[2]);
  if (argc == 3 && std::string_view{argv[1]} == "--file") return file_input(argv[2]);
  if (argc != 1) fail("usage: camera [--device /dev/video0 | --file recording.mp4]");
  if (const auto device = find_camera()) return device_input(*device);
  if (const auto file = find_recording()) return file_input(*file);
  fail("there is no camera, and no recording (Debian: apt-get install opencv-doc); give one with --file");
}

// ---- ffmpeg, and the pictures that it writes ----

/// A running ffmpeg. Its pictures come through a pipe as YUV4MPEG2: a line about the stream, then for each picture a
/// line FRAME and its planes Y, U and V.
class Pictures {
 public:
  explicit Pictures(const Input& input) {
    std::vector<std::string> arguments{"ffmpeg", "-nostdin", "-loglevel", "error", "-fflags", "nobuffer"};
    arguments.insert(arguments.end(), input.begin(), input.end());
    // The colours that telelink's viewers expect, whatever the camera's are.
    arguments.insert(arguments.end(), {"-an", "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p",
                                       "-f", "yuv4mpegpipe", "-"});
    std::vector<char*> argv;
    for (auto& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail(std::string{"no pipe: "} + std::strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const int error = posix_spawnp(&child_, "ffmpeg", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = ends[0];
    if (error != 0) {
      child_ = -1;
      std::fprintf(stderr, "camera: ffmpeg does not start (Debian: apt-get install ffmpeg): %s\n",
                   std::strerror(error));
    }
  }

  ~Pictures() {
    close(output_);
    if (child_ < 0) return;
    kill(child_, SIGKILL);  // it keeps nothing that could get lost
    waitpid(child_, nullptr, 0);
  }

  Pictures(const Pictures&) = delete;
  Pictures& operator=(const Pictures&) = delete;

  /// The next picture, with its time. Valid until the next call; nothing when there are no more, or `running` ends.
  std::optional<telelink::VideoImage> next() {
    if (width_ == 0 && !read_size()) return std::nullopt;
    std::string frame;
    if (!read_line(frame) || frame.compare(0, 5, "FRAME") != 0) return std::nullopt;
    if (!read(planes_.data(), planes_.size())) return std::nullopt;
    telelink::VideoImage image;
    image.format = telelink::VideoFormat::i420;
    image.width = width_;
    image.height = height_;
    image.data = planes_;
    // When it was taken, as well as it is known here. Viewers are shown how old a picture is by this.
    image.time = std::chrono::system_clock::now();
    return image;
  }

 private:
  /// YUV4MPEG2 W768 H576 F10:1 ...
  bool read_size() {
    std::string line;
    if (!read_line(line) || line.compare(0, 10, "YUV4MPEG2 ") != 0) return false;
    const auto number = [&](const char* name) -> std::uint32_t {
      const auto at = line.find(name);
      const long value = at == std::string::npos ? 0 : std::strtol(line.c_str() + at + 2, nullptr, 10);
      return value > 0 && value <= 16384 ? static_cast<std::uint32_t>(value) : 0;
    };
    width_ = number(" W");
    height_ = number(" H");
    const std::size_t chroma = std::size_t{(width_ + 1) / 2} * ((height_ + 1) / 2);
    planes_.resize(std::size_t{width_} * height_ + 2 * chroma);
    return width_ > 0 && height_ > 0;
  }

  bool read_line(std::string& line) {
    for (char c = 0; line.size() < 256 && read(&c, 1);) {
      if (c == '\n') return true;
      line += c;
    }
    return false;
  }

  /// Exactly so many bytes. A camera may be silent for long; the robot's end is not.
  bool read(void* data, std::size_t size) {
    auto* to = static_cast<char*>(data);
    while (size > 0) {
      if (!running) return false;
      pollfd waiting{output_, POLLIN, 0};
      if (poll(&waiting, 1, 100) == 0) continue;
      const auto got = ::read(output_, to, size);
      if (got == 0 || (got < 0 && errno != EINTR)) return false;
      if (got > 0) {
        to += got;
        size -= static_cast<std::size_t>(got);
      }
    }
    return true;
  }

  pid_t child_ = -1;
  int output_ = -1;
  std::uint32_t width_ = 0, height_ = 0;  // pixels
  std::vector<std::uint8_t> planes_ = {};
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { running = false; });
  std::signal(SIGTERM, [](int) { running = false; });
  (void)telelink::log_to_stderr();  // without it the robot only misses the library's warnings
  const auto input = input_from(argc, argv);
  std::printf("camera: pictures come from %s\n", input.back().c_str());

  const telelink::Context context;
  telelink::VideoSourceOptions pixels;
  pixels.frame_id = "camera";
  const auto camera = required(context.video_source("/camera", pixels));

  telelink::SessionOptions options;
  options.name = "camera";
  options.url = environment("LIVEKIT_URL");
  options.token = environment("LIVEKIT_TOKEN");
  options.callbacks.on_status = [](telelink::ConnectionStatus status, const telelink::Error* reason) {
    if (status == telelink::ConnectionStatus::connected) std::puts("camera: connected");
    if (reason != nullptr) std::fprintf(stderr, "camera: %s\n", reason->message.c_str());
  };
  const auto session = required(telelink::Session::start(context, std::move(options)));

  std::optional<Pictures> pictures;
  while (running) {
    if (!camera.is_wanted()) {
      pictures.reset();  // nobody watches: the camera is off
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      continue;
    }
    if (!pictures) pictures.emplace(input);
    if (const auto image = pictures->next()) {
      if (const auto pushed = camera.push(*image); !pushed) {
        std::fprintf(stderr, "camera: %s\n", pushed.error().message.c_str());
      }
    } else if (running) {
      std::fputs("camera: no more pictures; trying again\n", stderr);
      pictures.reset();
      std::this_thread::sleep_for(std::chrono::seconds{1});
    }
  }
  pictures.reset();

  if (const auto closed = session.close(); !closed) fail(closed.error().message);
  return 0;
}
